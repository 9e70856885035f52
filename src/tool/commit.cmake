# The commit that SOURCE is at, "-dirty" where files differ from it, as a header: written to OUT at each build, since a
# pull configures nothing, and only where it changed. Without git, or outside of a repository, it is empty.
#   cmake -DSOURCE=FOLDER -DOUT=FILE -P commit.cmake
cmake_minimum_required(VERSION 3.20)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE commit
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define STRATA_COMMIT \"${commit}\"\n" @ONLY)
