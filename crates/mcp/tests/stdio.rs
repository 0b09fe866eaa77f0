//! Servers as child processes: real ones, started by the real supervisor.
#![cfg(test)]

mod stdio {
    mod confinement;
    mod life;
    mod meanwhile;
    mod measurement;
    mod messages;
    mod questions;
    pub(crate) mod support;
    mod watching;
}
