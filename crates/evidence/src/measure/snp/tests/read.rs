//! Firmware and inputs, read or refused.

use super::*;

#[test]
fn digests_of_forged_firmware_are_those_of_an_independent_tool() {
    assert_eq!(
        Sha256Digest::of(&image(&entries(), &SECTIONS)).hex(),
        "2ba3a84c3441eb8511805466460015d3ed769158880e74ad1eda8cb7e247270e"
    );
    let alone = launch(forged(), 1, "EPYC-v4");
    assert_eq!(
        digest(&alone),
        "a1cbb0a63a6e2a72994df689885604c66549c1e82d1fc65eef7be0ca3ad4daa5f12543b115449a3ce3c5b3c2a476750c"
    );
    let kernel = Launch {
        kernel: Some(KernelDigests::of(b"kernel", b"initrd", "console=ttyS0")),
        guest_features: 0x21,
        ..launch(forged(), 3, "EPYC-Genoa")
    };
    assert_eq!(
        digest(&kernel),
        "09d2d76302f64a2bbca8c84066b168cbb4354e34b01abd52d2114d950b04ffc4ee3bc61e660653f568fc145d19f06245"
    );
    let aws = Launch {
        vmm: Vmm::Ec2,
        ..launch(forged(), 2, "EPYC-Milan")
    };
    assert_eq!(
        digest(&aws),
        "8ec8fa220e47fe0f5f601783651a05e838c50bd6fb7356ba67fe0dae9ea9bd35fc63d96e07b86caa5f95c10d42cbb877"
    );
    let google = Launch {
        kernel: Some(KernelDigests::of(b"kernel", b"", "")),
        vmm: Vmm::Gce,
        ..launch(forged(), 2, "EPYC-Turin")
    };
    assert_eq!(
        digest(&google),
        "8da5c199de6d8e82866119fd9a344ef3fddad0d94654ce56eec48b1bdf8e11bae0bdeccac60705d85c195d51ef1e7d2f"
    );
}

#[test]
fn the_table_is_read() {
    let firmware = forged();
    assert_eq!(firmware.hashes_table, Some(0x81_0c00));
    assert_eq!(firmware.reset_entry, Some(0x80_b004));
    assert_eq!(firmware.sections.len(), 6);
    assert_eq!(
        firmware.sections[5],
        Section {
            gpa: 0x81_0000,
            size: 0x1000,
            kind: SectionKind::KernelHashes
        }
    );
}

#[test]
fn a_guest_that_cannot_be_started_so_has_no_digest() {
    let mut firmware = forged();
    firmware.sections.pop();
    let kernel = Some(KernelDigests::of(b"kernel", b"", ""));
    let without = Launch {
        kernel,
        ..launch(firmware, 1, "EPYC")
    };
    assert_eq!(without.digest(), Err(SnpMeasureError::NoHashesTable));
    let mut firmware = forged();
    for table in [None, Some(0)] {
        firmware.hashes_table = table;
        let without = Launch {
            kernel,
            ..launch(firmware.clone(), 1, "EPYC")
        };
        assert_eq!(without.digest(), Err(SnpMeasureError::NoHashesTable));
    }
    firmware.hashes_table = Some(0x81_0fff);
    let beyond = Launch {
        kernel,
        ..launch(firmware, 1, "EPYC")
    };
    assert!(matches!(beyond.digest(), Err(SnpMeasureError::Firmware(_))));
    let mut firmware = forged();
    firmware.sections[5].size = 0x2000;
    let two = Launch {
        kernel,
        ..launch(firmware, 1, "EPYC")
    };
    assert!(matches!(two.digest(), Err(SnpMeasureError::Firmware(_))));
    let mut firmware = forged();
    firmware.reset_entry = None;
    assert!(launch(firmware.clone(), 1, "EPYC").digest().is_ok());
    assert_eq!(
        launch(firmware, 2, "EPYC").digest(),
        Err(SnpMeasureError::NoResetVector)
    );
    for vcpus in [0, 4097, u32::MAX] {
        assert_eq!(
            launch(forged(), vcpus, "EPYC").digest(),
            Err(SnpMeasureError::Vcpus(vcpus))
        );
    }
}

#[test]
fn firmware_that_is_not_what_ovmf_writes_is_refused() {
    let good = image(&entries(), &SECTIONS);
    let refused = |image: &[u8], part: &str| {
        let error = Firmware::from_ovmf(image).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&[], "whole pages");
    refused(&good[1..], "whole pages");
    refused(&good[..4096], "the GUID");
    refused(&vec![0; 8192], "the GUID");
    for (at, byte, part) in [
        (AT, b'B', "ASEV"),
        (AT + 4, 0, "metadata size"),
        (AT + 8, 2, "ASEV"),
        (AT + 12, 7, "metadata size"),
        (AT + 16, 1, "whole pages"),
        (AT + 20, 1, "whole pages"),
        (AT + 24, 5, "section type"),
        (8192 - 32 - 18, 17, "table entry"),
        (8192 - 32 - 18 + 1, 0xff, "table entry"),
    ] {
        let mut image = good.clone();
        image[at] = byte;
        refused(&image, part);
    }
    refused(&image(&entries()[..2], &SECTIONS), "SEV metadata");
    let beyond = entry(METADATA, &8193_u32.to_le_bytes());
    refused(&image(&[beyond], &SECTIONS), "metadata");
    let end = entry(METADATA, &15_u32.to_le_bytes());
    refused(&image(&[end], &SECTIONS), "metadata");
    let short = entry(METADATA, &[0, 4, 0]);
    refused(&image(&[short], &SECTIONS), "table entry");
    let many = vec![entry([7; 16], &[]); 65];
    refused(&image(&many, &[]), "at most 64");
    let mut huge = SECTIONS;
    huge[0].1 = 0xffff_f000;
    assert_eq!(
        Firmware::from_ovmf(&image(&entries(), &huge)),
        Err(SnpMeasureError::TooLarge)
    );
}

#[test]
fn no_byte_of_a_firmware_makes_the_reader_fail_otherwise() {
    let good = image(&entries(), &SECTIONS);
    for at in AT..good.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut image = good.clone();
            image[at] = byte;
            if let Ok(firmware) = Firmware::from_ovmf(&image) {
                let _digest = launch(firmware, 2, "EPYC").digest();
            }
        }
    }
}

#[test]
fn processors_by_model_and_by_parts() {
    for (model, signature) in [
        ("EPYC", 0x0080_0f12),
        ("EPYC-v4", 0x0080_0f12),
        ("EPYC-Rome", 0x0083_0f10),
        ("EPYC-Milan-v2", 0x00a0_0f11),
        ("EPYC-Genoa", 0x00a1_0f10),
        ("EPYC-Turin", 0x00b0_0f00),
    ] {
        assert_eq!(Vcpu::from_model(model), Some(Vcpu(signature)), "{model}");
    }
    assert_eq!(Vcpu::from_model("EPYC-Venice"), None);
    assert_eq!(Vcpu::from_parts(6, 0x3c, 3), Vcpu(0x0003_06c3));
    for vmm in Vmm::ALL {
        assert_eq!(Vmm::parse(vmm.as_str()), Some(vmm));
    }
    assert_eq!(Vmm::parse("xen"), None);
}

const INPUTS: &str = r#"{"vcpus": 1, "vcpu_type": "EPYC-v4", "guest_features": 1,
 "ovmf_hash": "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
 "ovmf_sections": [{"gpa": 4096, "size": 4096, "type": 2}]}"#;

#[test]
fn inputs_are_read_strictly() {
    let read = |text: &str| Launch::from_inputs(&json(text.as_bytes()));
    let base = read(INPUTS).unwrap();
    assert_eq!(base.vmm, Vmm::Qemu);
    assert_eq!(base.kernel, None);
    for (from, to, member) in [
        ("\"vcpus\": 1,", "", "vcpus"),
        ("\"vcpus\": 1,", "\"vcpus\": \"1\",", "vcpus"),
        ("\"vcpus\": 1,", "\"vcpus\": 4294967296,", "vcpus"),
        ("\"vcpus\": 1,", "\"vcpus\": 1, \"x\": 1,", "x"),
        ("\"vcpu_type\": \"EPYC-v4\",", "", "vcpu_type"),
        ("EPYC-v4", "EPYC-v9", "vcpu_type"),
        (
            "\"vcpus\": 1,",
            "\"vcpus\": 1, \"vcpu_signature\": 1,",
            "vcpu_type",
        ),
        (
            "\"vcpus\": 1,",
            "\"vcpus\": 1, \"vmm_type\": \"xen\",",
            "vmm_type",
        ),
        (
            "\"vcpus\": 1,",
            "\"vcpus\": 1, \"cmdline\": \"quiet\",",
            "cmdline",
        ),
        (
            "\"vcpus\": 1,",
            "\"vcpus\": 1, \"kernel_hash\": \"00\",",
            "kernel_hash",
        ),
        ("\"guest_features\": 1,", "", "guest_features"),
        ("\"0000", "\"000", "ovmf_hash"),
        ("\"type\": 2", "\"type\": 9", "ovmf_sections"),
        (
            "{\"gpa\": 4096, \"size\": 4096, \"type\": 2}",
            "7",
            "ovmf_sections",
        ),
        ("\"gpa\": 4096, ", "", "gpa"),
    ] {
        assert!(INPUTS.contains(from), "{from}");
        match read(&INPUTS.replacen(from, to, 1)) {
            Err(SnpMeasureError::Inputs { member: found, .. }) => assert_eq!(found, member, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    assert!(read("[]").is_err());
    let odd = INPUTS.replace("\"size\": 4096", "\"size\": 1");
    assert!(matches!(read(&odd), Err(SnpMeasureError::Firmware(_))));
    let signature = INPUTS.replace("\"vcpu_type\": \"EPYC-v4\"", "\"vcpu_signature\": 8392466");
    assert_eq!(read(&signature).unwrap(), base);
    let vmm = INPUTS.replace("\"vcpus\": 1,", "\"vcpus\": 1, \"vmm_type\": \"gce\",");
    assert_eq!(read(&vmm).unwrap().vmm, Vmm::Gce);
}

#[test]
fn inputs_with_a_kernel_alone_mean_no_initrd_and_an_empty_command_line() {
    let zeros = hex::encode(Sha256Digest::of(b"kernel").as_bytes());
    let text = INPUTS.replace(
        "\"vcpus\": 1,",
        &format!("\"vcpus\": 1, \"kernel_hash\": \"{zeros}\","),
    );
    let launch = Launch::from_inputs(&json(text.as_bytes())).unwrap();
    assert_eq!(launch.kernel, Some(KernelDigests::of(b"kernel", b"", "")));
}
