# The commit that SOURCE is at, "-dirty" where files differ from it, as a header: written to OUT at each build, since a
# pull configures nothing, and only where it changed. Without git, or where SOURCE is no repository, it is empty.
#   cmake -DSOURCE=FOLDER -DOUT=FILE -P commit.cmake
cmake_minimum_required(VERSION 3.20)
file(REAL_PATH ${SOURCE} here)
get_filename_component(above ${here} DIRECTORY) # a repository that SOURCE was unpacked into knows nothing of it
set(ENV{GIT_CEILING_DIRECTORIES} ${above})
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE commit
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define STRATA_COMMIT \"${commit}\"\n" @ONLY)
