use std::fs;

use cmcp_evidence::Sha256Digest;

use crate::{
    captured::{values, vector},
    support::{Ran, run},
};

fn measure(folder: &tempfile::TempDir, arguments: &[&str]) -> Ran {
    let mut all = vec!["measure"];
    all.extend_from_slice(arguments);
    run(folder.path(), &all, &[])
}

#[test]
fn a_launch_digest_is_recomputed_and_fits_into_reference_values() {
    let Some(inputs) = vector("measurement/dstack-milan-launch-inputs.json") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = measure(&folder, &["snp", "--inputs", &inputs, "--name", "dstack-1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let digest = "7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d";
    assert_eq!(
        ran.out,
        format!(
            "# launch digest, 2 processors\nsnp:\n  measurements:\n    dstack-1: \"{digest}\"\n"
        )
    );
    // Put where it belongs, the document is valid.
    let mine = values(&[(
        "snp",
        "  measurements: none",
        &format!("  measurements:\n    dstack-1: \"{digest}\""),
    )]);
    fs::write(folder.path().join("mine.yaml"), mine).unwrap();
    let checked = run(
        folder.path(),
        &[
            "evidence",
            "reference-values",
            "--reference-values",
            "mine.yaml",
        ],
        &[],
    );
    assert_eq!(checked.code, 0, "{}", checked.err);
    let json = measure(
        &folder,
        &[
            "snp", "--inputs", &inputs, "--name", "a", "--format", "json",
        ],
    );
    assert_eq!(
        json.out,
        format!(
            "{{\"reference_values\":{{\"snp\":{{\"measurements\":{{\"a\":\"{digest}\"}}}}}},\"notes\":[\"launch digest, 2 processors\"]}}\n"
        )
    );
    let short = folder.path().join("short.json");
    fs::write(&short, r#"{"vcpus": 2}"#).unwrap();
    let wrong = measure(&folder, &["snp", "--inputs", "short.json"]);
    assert_eq!(wrong.code, 12, "{}", wrong.err);
    assert_eq!(
        measure(&folder, &["snp", "--inputs", "nothing.json"]).code,
        6
    );
    assert_eq!(measure(&folder, &["snp"]).code, 2);
    assert_eq!(measure(&folder, &["snp", "--firmware", "x"]).code, 2);
}

#[test]
fn registers_of_a_tdx_guest_are_those_that_its_quote_has() {
    let Some(image) = vector("measurement/flashbots-gcp-tdx-portable-inputs.json") else {
        return;
    };
    let quote = fs::read(vector("tdx/flashbots-gcp-tdx-1782809233226668671").unwrap()).unwrap();
    let digits = |from: usize| -> String {
        quote[from..from + 48]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = measure(&folder, &["tdx", "--image", &image]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let (rtmr1, rtmr2) = (digits(424), digits(472));
    assert_eq!(
        lines,
        [
            "tdx:",
            &format!("  rtmr1: [\"{rtmr1}\"]"),
            &format!("  rtmr2: [\"{rtmr2}\"]")
        ]
    );
    let mine = values(&[
        ("tdx", "rtmr1: replayed", lines[1].trim()),
        ("tdx", "rtmr2: replayed", lines[2].trim()),
    ]);
    fs::write(folder.path().join("mine.yaml"), mine).unwrap();
    let checked = run(
        folder.path(),
        &[
            "evidence",
            "reference-values",
            "--reference-values",
            "mine.yaml",
        ],
        &[],
    );
    assert_eq!(checked.code, 0, "{}", checked.err);
    fs::write(folder.path().join("no.json"), "{}").unwrap();
    let wrong = measure(&folder, &["tdx", "--image", "no.json"]);
    assert_eq!(wrong.code, 12);
    assert!(
        wrong.err.contains("`gpt_disk_guid_hash` is not there"),
        "{}",
        wrong.err
    );
    fs::write(folder.path().join("no.fd"), [0; 4096]).unwrap();
    assert_eq!(measure(&folder, &["tdx", "--firmware", "no.fd"]).code, 12);
}

#[test]
fn a_container_policys_digest_is_what_the_report_carries() {
    let Some(policy) = vector("azure/aci-sidecar-2023/uvm_security_policy.base64") else {
        return;
    };
    let report = fs::read(vector("azure/aci-sidecar-2023/snp_report.bin").unwrap()).unwrap();
    let host_data: String = report[0xc0..0xe0]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let ran = measure(&folder, &["cce", &policy, "--name", "group"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = format!("aci:\n  container_policies:\n    group: \"{host_data}\"\n");
    assert!(ran.out.ends_with(&expected), "{}", ran.out);
    fs::write(folder.path().join("other"), "aGVsbG8=").unwrap();
    assert_eq!(measure(&folder, &["cce", "other"]).code, 12);
}

#[test]
fn an_image_layout_is_measured_by_the_digest_of_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Sha256Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        digest
    };
    let config = put(br#"{"os":"linux"}"#);
    let layer = put(b"layer");
    let manifest = put(format!(
        r#"{{"config":{{"digest":"{config}"}},"layers":[{{"digest":"{layer}"}}]}}"#
    )
    .as_bytes());
    let index = format!(r#"{{"manifests":[{{"digest":"{manifest}"}}]}}"#);
    fs::write(layout.join("index.json"), index).unwrap();
    let ran = measure(&folder, &["oci", "layout"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        format!(
            "# layout: no platform said; no name said\n#   manifest {manifest}\n#   configuration {config}\n\
             #   layer {layer}\ngcp:\n  images:\n    layout: \"{}\"\n",
            manifest.hex()
        )
    );
    let json = measure(&folder, &["oci", "layout", "--format", "json"]);
    let facts = format!(
        r#""images":[{{"names":[],"manifest":"{manifest}","config":"{config}","layers":["{layer}"]}}]"#
    );
    assert!(json.out.contains(&facts), "{}", json.out);
    fs::write(blobs.join(layer.hex()), "other").unwrap();
    let changed = measure(&folder, &["oci", "layout"]);
    assert_eq!(changed.code, 12);
    assert!(
        changed.err.ends_with("it was changed or cut\n"),
        "{}",
        changed.err
    );
    assert_eq!(measure(&folder, &["oci", "nowhere"]).code, 6);
    fs::write(folder.path().join("no.tar"), [1; 512]).unwrap();
    assert_eq!(measure(&folder, &["oci", "no.tar"]).code, 12);
}

#[test]
fn what_is_no_sigstruct_and_no_kernel_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), [0; 1808]).unwrap();
    for what in ["sgx-sigstruct", "uki"] {
        let ran = measure(&folder, &[what, "file"]);
        assert_eq!(ran.code, 12, "{what}: {}", ran.err);
        assert!(ran.out.is_empty());
    }
    let tdx = ["tdx", "--uki", "file", "--gpt", &"0".repeat(96)];
    assert_eq!(measure(&folder, &tdx).code, 12);
    assert_eq!(measure(&folder, &["tdx", "--uki", "file"]).code, 2);
    assert_eq!(
        measure(&folder, &["tdx", "--uki", "file", "--gpt", "00"]).code,
        2
    );
}
