//! Servers over HTTP: real sockets, and at their other end a server that does as it is told.
#![cfg(test)]

mod http {
    mod answers;
    mod asks;
    mod eras;
    mod failures;
    mod health;
    mod pair;
    mod pins;
    mod requests;
    mod resume;
    pub(crate) mod support;
    mod watch;
}
