# cmake -D PYTHON= -D PROJECT= -D VERSION= -D SHA256= -D FOLDER= -P pypi_sources.cmake
# Puts the contents of a project's source distribution into FOLDER. pip checks the hash.
set(download "${FOLDER}-download")
file(REMOVE_RECURSE "${download}" "${FOLDER}")
file(WRITE "${download}/requirements.txt" "${PROJECT}==${VERSION} --hash=sha256:${SHA256}\n")
execute_process(
  COMMAND "${PYTHON}" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all:
    --dest "${download}" --requirement "${download}/requirements.txt"
  RESULT_VARIABLE status ERROR_VARIABLE complaint)
file(GLOB archive "${download}/*.tar.gz")
if(NOT status EQUAL 0 OR NOT archive)
  message(FATAL_ERROR "pip cannot download the sources of ${PROJECT} ${VERSION}:\n${complaint}")
endif()
file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${download}")
file(RENAME "${download}/${PROJECT}-${VERSION}" "${FOLDER}")
file(REMOVE_RECURSE "${download}")
