//! Tests of the whole: drivers on real sockets. See `tests/`.
