// Sets the time limit of the tests under test/: they boot guests. (Jest takes no
// `testTimeout` per project, so a set-up file has to do it.)
jest.setTimeout(240_000);
