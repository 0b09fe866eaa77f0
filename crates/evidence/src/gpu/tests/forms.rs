//! Manifests of another form than NVIDIA's.

use super::super::{forge::Manifest, *};
use super::manifests::{UNREADABLE, fault, text, texts};

#[test]
fn only_the_one_way_of_signing_is_taken() {
    for (from, to, what) in [
        (
            "http://www.w3.org/2006/12/xml-c14n11\"></ds:Canon",
            "http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Canon",
            "CanonicalizationMethod",
        ),
        (
            "xmldsig-more#ecdsa-sha384",
            "xmldsig-more#rsa-sha384",
            "SignatureMethod",
        ),
        ("xmldsig-more#sha384", "xmldsig-more#sha224", "DigestMethod"),
        ("URI=\"\"", "URI=\"#Payload\"", "URI"),
        ("xmldsig#enveloped-signature", "xmldsig#base64", "Transform"),
        (
            "http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform>",
            "http://www.w3.org/TR/1999/REC-xslt-19991116\"></ds:Transform>",
            "Transform",
        ),
        (
            "xml-c14n11\"></ds:Transform>",
            "xml-c14n11\"><ds:XPath>0</ds:XPath></ds:Transform>",
            "Transform",
        ),
        (
            "</ds:Transforms>",
            "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#base64\"></ds:Transform></ds:Transforms>",
            "Transform",
        ),
        (
            "</ds:Reference>",
            "</ds:Reference><ds:Reference URI=\"\"></ds:Reference>",
            "CanonicalizationMethod",
        ),
        ("<ds:Reference URI=\"\">", "<ds:Reference>", "URI"),
    ] {
        let mut rim = Manifest::driver();
        rim.replace = Some((from, to));
        let fault = fault(&rim.signed());
        assert!(fault.contains(&format!("`{what}`")), "{to}: {fault}");
    }
}

#[test]
fn what_is_read_is_what_is_signed() {
    let [driver, vbios] = texts();
    let (before, _) = driver.split_once("<ds:Signature ").unwrap();
    let signature = driver.strip_prefix(before).unwrap();
    let signature = signature.strip_suffix("</SoftwareIdentity>").unwrap();
    // Twice, elsewhere, none.
    let twice = driver.replacen(
        "</SoftwareIdentity>",
        &format!("{signature}</SoftwareIdentity>"),
        1,
    );
    assert!(fault(&twice).contains("`Signature`"));
    let inside = driver.replacen(signature, "", 1).replacen(
        "</ns0:Meta>",
        &format!("{signature}</ns0:Meta>"),
        1,
    );
    assert!(fault(&inside).contains("`Signature`"));
    assert!(fault(&driver.replacen(signature, "", 1)).contains("`Signature`"));
    // A payload hidden in the signature, which its own digest does not cover.
    let (_, payload) = vbios.split_once("<ns0:Payload>").unwrap();
    let (payload, _) = payload.split_once("</ns0:Payload>").unwrap();
    let payload = format!("<ns0:Payload>{payload}</ns0:Payload>");
    let hidden = driver.replacen(
        "<ds:KeyInfo>",
        &format!("<ds:Object>{payload}</ds:Object><ds:KeyInfo>"),
        1,
    );
    assert!(fault(&hidden).contains("`Payload`"));
    // A whole signed manifest wrapped in another.
    let wrapped = format!(
        "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" tagId=\"1\">{driver}</SoftwareIdentity>"
    );
    assert!(Rim::parse(wrapped.as_bytes()).is_err());
    assert!(fault("<other/>").contains("`SoftwareIdentity`"));
}

#[test]
fn a_manifest_of_another_form_is_refused() {
    let [driver, _] = texts();
    for (from, to, what) in [
        (" index=\"20\"", " index=\"020\"", "index"),
        (" index=\"20\"", " index=\"256\"", "index"),
        (" index=\"20\"", " index=\"21\"", "index"),
        (" index=\"20\"", "", "index"),
        ("active=\"True\"", "active=\"true\"", "active"),
        ("alternatives=\"2\"", "alternatives=\"1\"", "Hash"),
        ("alternatives=\"2\"", "alternatives=\"3\"", "Hash"),
        ("alternatives=\"1\"", "alternatives=\"0\"", "alternatives"),
        ("alternatives=\"1\"", "alternatives=\"65\"", "alternatives"),
        ("size=\"48\"", "size=\"47\"", "Hash"),
        ("size=\"48\"", "size=\"x\"", "size"),
        ("type=\"Measurement\"", "type=\"File\"", "type"),
        ("ns2:Hash0=", "Hash0=", "Hash"),
        ("ns2:Hash0=\"14", "ns2:Hash0=\"g4", "Hash"),
        ("<ns0:Resource ", "<ns0:File/><ns0:Resource ", "Resource"),
        ("colloquialVersion", "version", "colloquialVersion"),
        (" product=", " ns2:product=", "product"),
        ("tagId", "id", "tagId"),
        ("<ds:X509Certificate>", "<ds:X509Certificate>!", "base64"),
        (
            "<ds:X509Data>",
            "<ds:X509Data><ds:X509SubjectName/>",
            "X509Certificate",
        ),
    ] {
        assert!(driver.contains(from), "{from}");
        let fault = fault(&driver.replacen(from, to, 1));
        assert!(fault.contains(&format!("`{what}`")), "{from} {to}: {fault}");
    }
    let many = driver.replacen(
        "<ds:X509Data>",
        &format!(
            "<ds:X509Data>{}",
            "<ds:X509Certificate>AAAA</ds:X509Certificate>".repeat(7)
        ),
        1,
    );
    assert!(fault(&many).contains("1 to 8 of them"));
    let broken = driver.replacen(
        "<ds:X509Certificate>",
        "<ds:X509Certificate>AAAA</ds:X509Certificate><ds:X509Certificate>",
        1,
    );
    assert_eq!(text(&broken), ["gpu.rim-signature"]);
    assert_eq!(text("no manifest"), UNREADABLE);
}

#[test]
fn b23_document_types_entities_and_depth_are_refused() {
    let [driver, _] = texts();
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    assert!(fault(&format!("{bomb}{driver}")).contains("not plain XML"));
    assert!(fault(&format!("<!DOCTYPE x>{driver}")).contains("not plain XML"));
    assert!(fault(&driver.replacen("0123", "&b;", 1)).contains("not plain XML"));
    let deep = format!("{}{}", "<a>".repeat(3000), "</a>".repeat(3000));
    assert!(
        fault(&driver.replacen("<ns0:Payload>", &format!("{deep}<ns0:Payload>"), 1))
            .contains("deeper")
    );
    let wide = "<a/>".repeat(5000);
    assert!(
        fault(&driver.replacen("<ns0:Payload>", &format!("{wide}<ns0:Payload>"), 1))
            .contains("not plain XML")
    );
    let spaces: String = (0..40).map(|n| format!(" xmlns:n{n}=\"u\"")).collect();
    assert!(
        fault(&driver.replacen("<ns0:Payload>", &format!("<ns0:Payload{spaces}>"), 1))
            .contains("namespaces")
    );
    let attributes: String = (0..5000).map(|n| format!(" a{n}=\"\"")).collect();
    assert!(
        fault(&driver.replacen("<ns0:Payload>", &format!("<ns0:Payload{attributes}>"), 1))
            .contains("attributes")
    );
    assert!(fault(&" ".repeat(300 << 10)).contains("bytes; at most"));
    assert!(Rim::parse(&[0xff, 0xfe]).is_err());
}

#[test]
fn what_canonical_forms_differ_over_is_refused() {
    let [driver, _] = texts();
    for (what, said) in [
        ("<!-- a comment -->", "a comment"),
        ("<?run this?>", "a processing instruction"),
    ] {
        assert!(
            fault(&driver.replacen("<ns0:Payload>", &format!("{what}<ns0:Payload>"), 1))
                .contains(said)
        );
        assert!(fault(&format!("{driver}{what}")).contains(said));
        assert!(fault(&format!("{what}{driver}")).contains(said));
    }
    let language = driver.replacen("<ns0:Payload>", "<ns0:Payload xml:lang=\"en\">", 1);
    assert!(fault(&language).contains("`xml:` attribute"));
}
