use super::is_loopback;

#[test]
fn loopback_is_told_from_what_looks_like_it() {
    for url in [
        "http://127.0.0.1:8443/mcp",
        "http://localhost/mcp",
        "https://[::1]:1/mcp",
    ] {
        assert!(is_loopback(url), "{url}");
    }
    for url in [
        "http://127.0.0.1.example/mcp",
        "http://localhost.example",
        "https://10.0.0.1/mcp",
        "127.0.0.1",
        "http://user@127.0.0.1/mcp",
        "",
    ] {
        assert!(!is_loopback(url), "{url}");
    }
}
