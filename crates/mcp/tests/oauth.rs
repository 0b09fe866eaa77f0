//! Documents and tokens over real sockets: an issuer, a token endpoint and a server that do as each
//! test has it.
#![cfg(test)]

mod oauth {
    mod client;
    mod fetch;
    pub(crate) mod support;
}
