//! Servers as child processes: real ones, started by the real supervisor.
#![cfg(test)]

mod stdio {
    mod confinement;
    mod life;
    mod measurement;
    mod messages;
    pub(crate) mod support;
}
