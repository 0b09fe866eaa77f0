//! The Model Context Protocol and its pipes, for servers and clients.
