use std::net::{Ipv4Addr, TcpListener};

use cmcp_json::Object;
use cmcp_mcp::{
    UpstreamError,
    upstream::{ConnectFault, Kind},
};

use super::*;
use crate::testing::settings;

fn spec(url: &str) -> ServerSpec {
    ServerSpec {
        name: "tools".to_owned(),
        display_name: None,
        transport: Transport::Http {
            url: url.to_owned(),
            pin: TlsPin::WebPki,
        },
    }
}

/// This machine's own name where it leads to a private address, as it does nearly everywhere.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_owned();
    let target = (name.as_str(), 0);
    let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(&target).ok()?;
    addresses.next()?;
    Some(name)
}

/// Why the server could not be reached.
async fn fault(url: &str, allowed: &[&str]) -> ConnectFault {
    let mut settings = settings("unused".into());
    settings.private_hosts = allowed.iter().map(|&host| host.to_owned()).collect();
    let client = client(
        &spec(url),
        &settings,
        &Object::new().into(),
        &Arc::default(),
    )
    .unwrap();
    let error = client.list(Kind::Tools).await.unwrap_err();
    client.close().await;
    let UpstreamError::Connect { cause, .. } = error else {
        panic!("{error}");
    };
    cause
}

#[tokio::test]
async fn f18_a_name_of_a_private_address_is_refused_unless_configuration_lists_it() {
    let Some(name) = own_name() else {
        println!("skipped: this machine's own name does not resolve");
        return;
    };
    // Nobody listens there: what is reached answers with a refusal of the system, not with ours.
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("http://{name}:{port}/mcp");
    assert!(matches!(fault(&url, &[]).await, ConnectFault::Address(_)));
    assert!(matches!(
        fault(&url, &["another.example"]).await,
        ConnectFault::Address(_)
    ));
    let listed = name.to_ascii_lowercase();
    let upper = format!("http://{}:{port}/mcp", name.to_ascii_uppercase());
    for url in [url, upper] {
        let reached = fault(&url, &[&listed]).await;
        assert_eq!(
            reached,
            ConnectFault::Io(std::io::ErrorKind::ConnectionRefused),
            "{url}"
        );
    }
}

#[tokio::test]
async fn f18_other_spellings_of_loopback_are_names_and_not_public() {
    for host in ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1"] {
        let url = format!("http://{host}:9/mcp");
        let fault = fault(&url, &[]).await;
        assert!(
            matches!(fault, ConnectFault::Address(_) | ConnectFault::Resolve),
            "{host}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn f18_metadata_and_link_local_addresses_are_refused_even_when_listed() {
    for host in [
        "169.254.169.254",
        "100.100.100.200",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
    ] {
        let name = host.trim_matches(['[', ']']);
        let url = format!("http://{host}/latest/meta-data");
        let fault = fault(&url, &[name]).await;
        assert!(
            matches!(fault, ConnectFault::Address(_)),
            "{host}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn f18_what_names_loopback_itself_is_reached() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    for host in ["127.0.0.1", "localhost"] {
        let fault = fault(&format!("http://{host}:{port}/"), &[]).await;
        assert_eq!(
            fault,
            ConnectFault::Io(std::io::ErrorKind::ConnectionRefused)
        );
    }
}
