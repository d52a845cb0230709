// SPDX-License-Identifier: GPL-2.0-or-later
//
// pair_style pwmlff model.pt [more.pt ...] [keyword value ...]
// pair_coeff * * Cu O NULL

#ifndef LMP_PAIR_PWMLFF_H
#define LMP_PAIR_PWMLFF_H

#include "pair.h"

#include <cstddef>
#include <string>

namespace LAMMPS_NS {

class PairPWMLFF : public Pair {
 public:
  PairPWMLFF(class LAMMPS *);
  ~PairPWMLFF() override;

  void compute(int, int) override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  void finish() override;
  double init_one(int, int) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  void *extract(const char *, int &) override;
  void *extract_peratom(const char *, int &) override;
  double memory_usage() override;

 private:
  struct Impl;
  Impl *impl_;

  void load_model(const std::string &path, int cuda);
  void check_elements_agree() const;
  bool map_types();
  void forget_elements();
  void warn_of_masses();
  void open_file();

  template <typename Use> void evaluate(std::size_t member, Use use);
  void send_home(class GhostRows &);
  void tally(const struct PairBlock &, const struct BlockResult &);
  void collect_ghosts();
  bool wants_deviation() const;
  void begin_member();
  void add_to_member(std::size_t member, const struct PairBlock &, const struct BlockResult &);
  void end_member(std::size_t member);
  void evaluate_committee(bool drives);
  void report_deviation();
  void write_row(const struct DeviationSummary &);
  void put_into_file(bool replaces);
  bool end_step();
  bool is_step_of_row() const;
  std::string id_of_fix() const;
  void warn_of_overflows();
  void check_finite(double energy, const double *force, int atom, std::size_t member) const;
};

}    // namespace LAMMPS_NS

#endif
