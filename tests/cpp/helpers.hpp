// Shared by the tests.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// Numbers between -1 and 1, the same in each run.
template <typename Real>
std::vector<Real> random_numbers(std::int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> distribution(-1.0, 1.0);
  std::vector<Real> numbers(n);
  for (Real &number : numbers) number = static_cast<Real>(distribution(generator));
  return numbers;
}

// The message of the std::runtime_error that a function throws; empty where it throws none.
template <typename Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

// The slope of a function by differences of fourth order.
template <typename Function>
double slope(Function function, double step) {
  return (8 * (function(step) - function(-step)) - (function(2 * step) - function(-2 * step))) / (12 * step);
}

#define CHECK_MESSAGE_HAS(message, part) CHECK_MESSAGE((message).find(part) != std::string::npos, message)
