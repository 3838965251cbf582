//! Owns the tests of the writers: one sample and hostile content through all of them.
