# A sum over what decides how fast a kernel is and what it computes, beside the shaders and the device, as a header: the host
# code that launches, and the tuner, which forgets what it measured where this changed. Not the commit: a pull that leaves
# these files alone forgets nothing. Nor the version: it stays the same for many pulls that do not.
#   cmake -DSOURCE=FOLDER -DOUT=FILE -P launchers.cmake
cmake_minimum_required(VERSION 3.20)
file(GLOB files ${SOURCE}/src/ops/*.[ch] ${SOURCE}/src/vulkan/*.[ch] ${SOURCE}/src/graph/trial.[ch] ${SOURCE}/src/graph/tune.[ch])
set(all "")
foreach(file ${files}) # sorted by GLOB
  file(SHA256 ${file} sum)
  get_filename_component(name ${file} NAME)
  string(APPEND all "${name} ${sum}\n")
endforeach()
string(SHA256 sum "${all}")
string(SUBSTRING ${sum} 0 16 sum)
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define STRATA_LAUNCHERS \"${sum}\"\n" @ONLY)
