use super::*;
use crate::forge;

fn block(label: &str, der: &[u8]) -> String {
    forge::pem(label, der)
}

#[test]
fn one_certificate_is_read() {
    let text = block("CERTIFICATE", &[7; 100]);
    assert_eq!(one_from_pem(text.as_bytes()), Ok(vec![7; 100]));
    let windows = text.replace('\n', "\r\n");
    assert_eq!(one_from_pem(windows.as_bytes()), Ok(vec![7; 100]));
}

#[test]
fn one_certificate_is_alone() {
    let one = block("CERTIFICATE", &[7; 10]);
    assert_eq!(
        one_from_pem(format!("{one}{one}").as_bytes()),
        Err(PemError::Several { found: 2 })
    );
    assert_eq!(
        one_from_pem(format!("subject\n{one}").as_bytes()),
        Err(PemError::Around)
    );
    assert_eq!(
        one_from_pem(format!("{one}tail").as_bytes()),
        Err(PemError::Around)
    );
    assert_eq!(
        one_from_pem(b""),
        Err(PemError::None {
            label: "CERTIFICATE"
        })
    );
}

#[test]
fn chains_may_have_text_between_them() {
    let text = format!(
        "subject=a\n{}issuer=b\n{}\0",
        block("CERTIFICATE", &[1]),
        block("CERTIFICATE", &[2])
    );
    assert_eq!(all_from_pem(text.as_bytes()), Ok(vec![vec![1], vec![2]]));
}

#[test]
fn another_label_is_refused_and_not_passed_over() {
    let text = block("CERTIFICATE", &[1]) + &block("PRIVATE KEY", &[2]);
    let label = PemError::Label {
        label: "CERTIFICATE",
        number: 2,
    };
    assert_eq!(all_from_pem(text.as_bytes()), Err(label));
    assert_eq!(
        crls_from_pem(block("X509 CRL", &[3]).as_bytes()),
        Ok(vec![vec![3]])
    );
    assert_eq!(
        key_from_pem(block("PUBLIC KEY", &[4]).as_bytes()),
        Ok(vec![4])
    );
    let two = block("PUBLIC KEY", &[4]).repeat(2);
    assert_eq!(
        key_from_pem(two.as_bytes()),
        Err(PemError::Several { found: 2 })
    );
}

#[test]
fn a_block_ends_with_its_own_label() {
    let text = block("CERTIFICATE", &[1]);
    let other = text.replace("END CERTIFICATE", "END X509 CRL");
    assert_eq!(
        all_from_pem(other.as_bytes()),
        Err(PemError::End { number: 1 })
    );
    let cut = text.replace("-----END CERTIFICATE-----", "");
    assert_eq!(
        all_from_pem(cut.as_bytes()),
        Err(PemError::End { number: 1 })
    );
}

#[test]
fn b27_base64_with_blanks_other_letters_or_stray_bits_is_refused() {
    for body in [
        "\nAQ ==\n",
        "\nAQ\n",
        "\nAQ=\n",
        "\nAR==\n",
        "\n_w==\n",
        "\n\n",
        "AQ==\n",
        "\nAQ==",
        "\nAQ==AQ==\n",
    ] {
        let text = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----");
        assert_eq!(
            one_from_pem(text.as_bytes()),
            Err(PemError::Base64 { number: 1 }),
            "{body:?}"
        );
    }
}

#[test]
fn the_number_of_blocks_is_bounded() {
    let text = block("CERTIFICATE", &[1]);
    assert_eq!(all_from_pem(text.repeat(64).as_bytes()).unwrap().len(), 64);
    assert_eq!(
        all_from_pem(text.repeat(65).as_bytes()),
        Err(PemError::TooMany)
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(one_from_pem(&[0xFF]), Err(PemError::Text));
}
