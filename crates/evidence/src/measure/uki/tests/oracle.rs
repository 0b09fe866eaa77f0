//! `systemd-measure` as a second opinion on PCR 11.

use std::{path::Path, process::Command};

use super::{super::Uki, image, magic};
use crate::{
    eventlog::{HashAlg, tests::in_ci},
    hex,
};

const TOOLS: [&str; 2] = [
    "/usr/lib/systemd/systemd-measure",
    "/lib/systemd/systemd-measure",
];

#[test]
fn systemd_measure_arrives_at_the_same_values() {
    let Some(tool) = TOOLS.into_iter().find(|tool| Path::new(tool).exists()) else {
        assert!(!in_ci(), "systemd-measure is not installed");
        eprintln!("skipped: systemd-measure is not installed");
        return;
    };
    let folder = std::env::temp_dir().join(format!("cmcp-uki-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let kernel = image(&[(".text", b"kernel")]);
    // The sections that every version of the tool takes.
    let contents: [(&str, &[u8]); 6] = [
        ("linux", &kernel),
        ("osrel", b"ID=cmcp\n"),
        ("cmdline", b"console=ttyS0"),
        ("initrd", b"an initrd"),
        ("splash", b"a picture"),
        ("pcrpkey", b"-----BEGIN PUBLIC KEY-----\n"),
    ];
    let mut command = Command::new(tool);
    command.args([
        "calculate",
        "--json=short",
        "--bank=sha256",
        "--bank=sha384",
    ]);
    let version = magic("252.1");
    let names = contents.map(|(name, _)| format!(".{name}"));
    let mut sections: Vec<(&str, &[u8])> = vec![(".sdmagic", &version)];
    for ((name, content), section) in contents.iter().zip(&names) {
        let file = folder.join(name);
        std::fs::write(&file, content).expect("written");
        command.arg(format!("--{name}={}", file.display()));
        sections.push((section, content));
    }
    let output = command.output().expect("systemd-measure");
    std::fs::remove_dir_all(&folder).expect("removed");
    let printed = String::from_utf8(output.stdout).expect("text");
    let stated = cmcp_json::parse(printed.trim().as_bytes(), &cmcp_json::Limits::DOCUMENT);
    let stated = stated.unwrap_or_else(|error| panic!("{error}: {printed}"));
    // Behind the sections of the stub itself, and in another order than they are measured in.
    sections.reverse();
    let bytes = image(&sections);
    let uki = Uki::parse(&bytes).expect("an image");
    for bank in [HashAlg::Sha256, HashAlg::Sha384] {
        let list = stated
            .get(bank.as_str())
            .and_then(cmcp_json::Value::as_array);
        let values = uki.pcr11(bank).expect("values");
        let mut compared = 0;
        for (stated, (phase, value)) in list.expect("a list").iter().zip(&values[1..]) {
            let of = |name: &str| stated.get(name).and_then(cmcp_json::Value::as_str);
            let path = of("phase").expect("a phase");
            assert_eq!(path.rsplit(':').next(), Some(phase.as_str()));
            assert_eq!(
                of("hash"),
                Some(hex::encode(value).as_str()),
                "{bank} {path}"
            );
            compared += 1;
        }
        assert_eq!(compared, 4);
    }
}
