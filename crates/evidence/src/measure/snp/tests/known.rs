//! Digests of guests whose digest is known.

use super::*;

#[test]
fn the_inputs_of_a_captured_guest_give_what_its_hardware_signed() {
    let Some(inputs) = inputs() else { return };
    let report = shared("snp/dstack-milan-report.bin").unwrap();
    let report = crate::snp::parse(&report).unwrap();
    let digest = Launch::from_inputs(&inputs).unwrap().digest().unwrap();
    assert_eq!(digest.as_bytes(), report.measurement);
    let stated = inputs.as_object().unwrap().get("expected_measurement");
    assert_eq!(stated.unwrap().as_str().unwrap(), digest.hex());
    let table = json(&shared("expectations-other.json").unwrap());
    let row = table
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_object().unwrap())
        .find(|row| row.get("id").unwrap().as_str() == Some("measure-snp-dstack"))
        .unwrap();
    let values = row.get("values").unwrap().as_object().unwrap();
    assert_eq!(
        values.get("measurement").unwrap().as_str().unwrap(),
        digest.hex()
    );
}

#[test]
fn a_changed_command_line_gives_another_digest() {
    let Some(mut inputs) = inputs() else { return };
    let right = digest(&Launch::from_inputs(&inputs).unwrap());
    let object = inputs.as_object_mut().unwrap();
    let cmdline = object.get("cmdline").unwrap().as_str().unwrap();
    let changed = cmdline.replace("panic=1", "panic=2");
    object.insert("cmdline".to_owned(), Value::String(changed));
    assert_ne!(digest(&Launch::from_inputs(&inputs).unwrap()), right);
}

type Change = (&'static str, fn(&mut Launch));

#[test]
fn any_changed_input_gives_another_digest() {
    let Some(inputs) = inputs() else { return };
    let good = Launch::from_inputs(&inputs).unwrap();
    let changes: [Change; 11] = [
        ("one more processor", |launch| launch.vcpus = 3),
        ("one processor less", |launch| launch.vcpus = 1),
        ("model", |launch| {
            launch.vcpu = Vcpu::from_model("EPYC-Milan").unwrap();
        }),
        ("features", |launch| launch.guest_features = 0x21),
        ("hypervisor", |launch| launch.vmm = Vmm::Ec2),
        ("hypervisor of 2023", |launch| launch.vmm = Vmm::Ec2Of2023),
        ("another hypervisor", |launch| launch.vmm = Vmm::Gce),
        ("no kernel", |launch| launch.kernel = None),
        ("kernel", |launch| {
            launch.kernel.as_mut().unwrap().kernel = Sha256Digest::of(b"other");
        }),
        ("initrd", |launch| {
            launch.kernel.as_mut().unwrap().initrd = Sha256Digest::of(b"other");
        }),
        ("order of sections", |launch| {
            launch.firmware.sections.swap(0, 1);
        }),
    ];
    let mut seen = vec![digest(&good)];
    for (what, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        let digest = digest(&changed);
        assert!(!seen.contains(&digest), "{what}");
        seen.push(digest);
    }
}

/// Name of the firmware, processors, whether an empty kernel and initrd are given, command line,
/// features, hypervisor, and the digest that the tests of `sev` 8.0.0 expect.
type Case = (
    &'static str,
    u32,
    bool,
    &'static str,
    u64,
    Vmm,
    &'static str,
);

#[test]
fn digests_of_ovmf_are_those_of_an_independent_crate() {
    for (name, vcpus, kernel, cmdline, guest_features, vmm, expected) in CASES {
        let Some(image) = shared(&format!("measurement/sev-crate-ovmf_{name}_suffix.bin")) else {
            return;
        };
        let launch = Launch {
            kernel: kernel.then(|| KernelDigests::of(&[], &[], cmdline)),
            guest_features,
            vmm,
            ..launch(Firmware::from_ovmf(&image).unwrap(), vcpus, "EPYC-v4")
        };
        assert_eq!(digest(&launch), expected, "{launch:?}");
    }
}

#[test]
fn the_firmwares_own_digest_is_that_of_an_independent_crate() {
    let Some(image) = shared("measurement/sev-crate-ovmf_AmdSev_suffix.bin") else {
        return;
    };
    assert_eq!(
        Firmware::from_ovmf(&image).unwrap().digest.hex(),
        "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74"
    );
}

#[test]
fn digests_of_shared_ovmf_are_those_of_an_independent_tool() {
    let cases = [
        (
            "AmdSev",
            5,
            "EPYC-Rome",
            None,
            0x1,
            Vmm::Gce,
            "bcf07ce31d5ed9fe3e3e20d9f9102ffe98f5d23ce8d8c835a0501474c548f11296db011e1b83d1a9cd65428a8f3eb0d3",
        ),
        (
            "AmdSev",
            2,
            "EPYC-Turin",
            Some("quiet"),
            0x21,
            Vmm::Ec2,
            "72cfcf1d15841f056b79cc460b6355e516d50c4b801bcefae79cd9e00ae1f86847e50b7c67f273e8288fd9d2fab138a7",
        ),
        (
            "OvmfX64",
            2,
            "EPYC-Milan",
            None,
            0x1,
            Vmm::Qemu,
            "b83938759979c150552cfc94e70e03dd106249bb77584d3a7bb8ade029d419b74ce19dc0db5542076599ac4c95ac0a38",
        ),
    ];
    for (name, vcpus, model, cmdline, guest_features, vmm, expected) in cases {
        let Some(image) = shared(&format!("measurement/sev-crate-ovmf_{name}_suffix.bin")) else {
            return;
        };
        let launch = Launch {
            kernel: cmdline.map(|cmdline| KernelDigests::of(b"kernel", b"initrd", cmdline)),
            guest_features,
            vmm,
            ..launch(Firmware::from_ovmf(&image).unwrap(), vcpus, model)
        };
        assert_eq!(digest(&launch), expected, "{name} {model}");
    }
}

const CASES: [Case; 12] = [
    (
        "AmdSev",
        1,
        true,
        "",
        0x1,
        Vmm::Qemu,
        "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5",
    ),
    (
        "AmdSev",
        1,
        true,
        "",
        0x21,
        Vmm::Qemu,
        "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198",
    ),
    (
        "AmdSev",
        1,
        true,
        "console=ttyS0 loglevel=7",
        0x1,
        Vmm::Qemu,
        "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa",
    ),
    (
        "AmdSev",
        1,
        true,
        "console=ttyS0 loglevel=7",
        0x21,
        Vmm::Qemu,
        "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977",
    ),
    (
        "AmdSev",
        1,
        true,
        "",
        0x1,
        Vmm::Ec2Of2023,
        "7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be",
    ),
    (
        "AmdSev",
        1,
        true,
        "",
        0x21,
        Vmm::Ec2Of2023,
        "6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6",
    ),
    (
        "AmdSev",
        1,
        false,
        "",
        0x1,
        Vmm::Qemu,
        "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d",
    ),
    (
        "AmdSev",
        1,
        false,
        "",
        0x21,
        Vmm::Qemu,
        "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b",
    ),
    (
        "AmdSev",
        4,
        true,
        "",
        0x1,
        Vmm::Qemu,
        "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5",
    ),
    (
        "AmdSev",
        4,
        true,
        "",
        0x21,
        Vmm::Qemu,
        "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942",
    ),
    (
        "OvmfX64",
        1,
        false,
        "",
        0x1,
        Vmm::Qemu,
        "da0296de8193586a5512078dcd719eccecbd87e2b825ad4148c44f665dc87df21e5b49e21523a9ad993afdb6a30b4005",
    ),
    (
        "OvmfX64",
        1,
        false,
        "",
        0x21,
        Vmm::Qemu,
        "28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b493d8a64c385",
    ),
];
