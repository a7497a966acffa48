# Which library stands behind each codec, and where it comes from.
#
# VOLSTREAM_CODECS is auto (the system's library if there is one, else that codec is absent), system (required),
# bundled (built from pinned sources and linked statically: what wheels have) or off. VOLSTREAM_OPENJPEG,
# VOLSTREAM_OPENJPH, VOLSTREAM_CHARLS and VOLSTREAM_JPEG override it for one library.
set(VOLSTREAM_CODECS auto CACHE STRING "Codec libraries: auto, system, bundled or off")
set_property(CACHE VOLSTREAM_CODECS PROPERTY STRINGS auto system bundled off)

include(${CMAKE_CURRENT_LIST_DIR}/Bundle.cmake)

# volstream_codec(<key> <name> <floor> HEADER .. LIBRARY .. VERSION_HEADER .. VERSION_PATTERN ..
#                 VERSION .. URL .. SHA256 .. [INCLUDE_SUFFIX ..] [ARCHIVE ..] [MSVC_ARCHIVE ..] [DEFINITIONS ..] [OPTIONS ..])
# Links the library to volstream_core and defines VOLSTREAM_<key>="<origin>" there.
function(volstream_codec key name floor)
  cmake_parse_arguments(PARSE_ARGV 3 arg ""
    "HEADER;INCLUDE_SUFFIX;LIBRARY;VERSION_HEADER;VERSION_PATTERN;VERSION;URL;SHA256;ARCHIVE;MSVC_ARCHIVE" "DEFINITIONS;OPTIONS")
  set(VOLSTREAM_${key} "" CACHE STRING "Overrides VOLSTREAM_CODECS for ${name}")
  set(choice ${VOLSTREAM_CODECS})
  if(NOT VOLSTREAM_${key} STREQUAL "") # "off" is a value, not a truth
    set(choice ${VOLSTREAM_${key}})
  endif()
  if(NOT choice MATCHES "^(auto|system|bundled|off)$")
    message(FATAL_ERROR "${name}: '${choice}' is none of auto, system, bundled, off")
  endif()

  if(choice STREQUAL "bundled")
    volstream_bundle(${key} ${name} URL ${arg_URL} SHA256 ${arg_SHA256} ARCHIVE "${arg_ARCHIVE}"
      MSVC_ARCHIVE "${arg_MSVC_ARCHIVE}" INCLUDE_SUFFIX "${arg_INCLUDE_SUFFIX}" OPTIONS ${arg_OPTIONS})
    target_compile_definitions(volstream_core PRIVATE VOLSTREAM_${key}="bundled" ${arg_DEFINITIONS})
    message(STATUS "volstream: ${name} ${arg_VERSION} bundled")
    return()
  elseif(choice STREQUAL "off")
    message(STATUS "volstream: ${name} off")
    return()
  endif()

  find_path(VOLSTREAM_${key}_INCLUDE ${arg_HEADER} PATH_SUFFIXES ${arg_INCLUDE_SUFFIX})
  find_path(VOLSTREAM_${key}_CONFIG ${arg_VERSION_HEADER} PATH_SUFFIXES ${arg_INCLUDE_SUFFIX})
  find_library(VOLSTREAM_${key}_LIBRARY NAMES ${arg_LIBRARY})
  mark_as_advanced(VOLSTREAM_${key}_INCLUDE VOLSTREAM_${key}_CONFIG VOLSTREAM_${key}_LIBRARY)
  if(NOT VOLSTREAM_${key}_INCLUDE OR NOT VOLSTREAM_${key}_CONFIG OR NOT VOLSTREAM_${key}_LIBRARY)
    if(choice STREQUAL "system")
      message(FATAL_ERROR "${name} was not found: install its development files, or choose another VOLSTREAM_CODECS")
    endif()
    message(STATUS "volstream: ${name} absent (not found)")
    return()
  endif()
  file(STRINGS ${VOLSTREAM_${key}_CONFIG}/${arg_VERSION_HEADER} lines REGEX "define +${arg_VERSION_PATTERN} +[0-9.]+")
  list(TRANSFORM lines REPLACE ".*define +${arg_VERSION_PATTERN} +([0-9.]+).*" "\\1")
  list(JOIN lines "." version)
  target_include_directories(volstream_core PRIVATE ${VOLSTREAM_${key}_INCLUDE} ${VOLSTREAM_${key}_CONFIG})
  target_link_libraries(volstream_core PRIVATE ${VOLSTREAM_${key}_LIBRARY})
  target_compile_definitions(volstream_core PRIVATE VOLSTREAM_${key}="system")
  set(note "")
  if(version VERSION_LESS floor)
    set(note "; below ${floor}, older ones can hang or crash on damaged streams")
  endif()
  message(STATUS "volstream: ${name} ${version} system, ${VOLSTREAM_${key}_LIBRARY}${note}")
endfunction()

volstream_codec(OPENJPEG OpenJPEG 2.5.4
  HEADER openjpeg.h INCLUDE_SUFFIX openjpeg-2.5 LIBRARY openjp2
  VERSION_HEADER opj_config.h VERSION_PATTERN "OPJ_VERSION_[A-Z]+"
  VERSION 2.5.4 URL https://github.com/uclouvain/openjpeg/archive/refs/tags/v2.5.4.tar.gz
  SHA256 a695fbe19c0165f295a8531b1e4e855cd94d0875d2f88ec4b61080677e27188a
  ARCHIVE openjp2 DEFINITIONS OPJ_STATIC
  OPTIONS -DBUILD_SHARED_LIBS=OFF -DBUILD_CODEC=OFF -DBUILD_TESTING=OFF)

volstream_codec(OPENJPH OpenJPH 0.31
  HEADER openjph/ojph_codestream.h LIBRARY openjph
  VERSION_HEADER openjph/ojph_version.h VERSION_PATTERN "OPENJPH_VERSION_[A-Z]+"
  VERSION 0.31.0 URL https://github.com/aous72/OpenJPH/archive/refs/tags/0.31.0.tar.gz
  SHA256 fe169dbbaae71a169a0a6a68dccb346616193252c1ca044217afa0d5d1dc436f
  ARCHIVE openjph MSVC_ARCHIVE openjph.0.31
  OPTIONS -DBUILD_SHARED_LIBS=OFF -DOJPH_BUILD_EXECUTABLES=OFF -DOJPH_ENABLE_TIFF_SUPPORT=OFF)

volstream_codec(CHARLS CharLS 2.4.4
  HEADER charls/charls.h LIBRARY charls
  VERSION_HEADER charls/version.h VERSION_PATTERN "CHARLS_VERSION_[A-Z]+"
  VERSION 2.4.4 URL https://github.com/team-charls/charls/archive/refs/tags/2.4.4.tar.gz
  SHA256 fbd712903d61306ad00d5fa5029a9882630c7311ca487f48d2d76000956e8ff9
  ARCHIVE charls DEFINITIONS CHARLS_STATIC
  OPTIONS -DBUILD_SHARED_LIBS=OFF -DCHARLS_BUILD_TESTS=OFF -DCHARLS_BUILD_FUZZ_TEST=OFF -DCHARLS_BUILD_SAMPLES=OFF
          -DCHARLS_INSTALL=ON)

volstream_codec(JPEG libjpeg-turbo 3.1
  HEADER jpeglib.h LIBRARY jpeg
  VERSION_HEADER jconfig.h VERSION_PATTERN "LIBJPEG_TURBO_VERSION"
  VERSION 3.1.4.1 URL https://github.com/libjpeg-turbo/libjpeg-turbo/releases/download/3.1.4.1/libjpeg-turbo-3.1.4.1.tar.gz
  SHA256 ecae8008e2cc9ade2f2c1bb9d5e6d4fb73e7c433866a056bd82980741571a022
  ARCHIVE jpeg MSVC_ARCHIVE jpeg-static
  OPTIONS -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF -DWITH_TOOLS=OFF -DWITH_TESTS=OFF)
