//! Servers over HTTP: real sockets, and at their other end a server that does as it is told.
#![cfg(test)]

mod http {
    mod answers;
    mod eras;
    mod failures;
    mod pins;
    pub(crate) mod support;
}
