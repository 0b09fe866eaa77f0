use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use super::*;

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn forbidden(port: u16) -> SocketAddr {
    (Ipv4Addr::new(169, 254, 169, 254), port).into()
}

#[tokio::test]
async fn f18_the_address_that_was_checked_is_the_one_connected_to() {
    let ((_first, address), (second, other)) = (listener(), listener());
    let addresses = vec![forbidden(address.port()), address, other];
    let stream = connect_to_first(addresses, Reach::Private).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    assert_eq!(
        second.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}

#[tokio::test]
async fn f18_an_answer_of_private_addresses_alone_connects_nowhere() {
    let (listener, address) = listener();
    let mapped: IpAddr = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
    for ip in [address.ip(), Ipv6Addr::LOCALHOST.into(), mapped] {
        let asked = vec![forbidden(1), (ip, address.port()).into()];
        let fault = connect_to_first(asked, Reach::Public).await.unwrap_err();
        assert_eq!(fault, ConnectFault::Address(ip));
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}
