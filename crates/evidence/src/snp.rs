//! SEV-SNP: the attestation report, its chain and its machine.

mod bits;
mod chain;
mod guest;
mod machine;
mod policy;
mod report;
mod roots;
mod show;
mod table;
mod tcb;
mod vek;

pub use policy::{
    Allowance, Demand, Floors, GuestRules, IdBlockRules, Identity, MachineRules, Migration,
    MitigationRules, Products, Revocation, SigningKeys, SnpPolicy, Vcek, Vlek,
};
pub use report::{Cpuid, Firmware, LENGTH, Mitigations, RawSignature, Report, parse};
pub(crate) use show::show;
pub use table::{EntryKind, TableEntry, endorsements, parse_table};
pub use tcb::{Product, Tcb};

use self::{
    chain::{Signer, Subject},
    machine::Versions,
};
use crate::{
    About, Binding, Endorsements, Input, Part, Proved, Timestamp,
    check::{Checks, checks},
    hex,
};

checks! {
    /// What is checked of every SEV-SNP report.
    ALL:
    PRESENT = "snp.report", "the evidence has one report",
        "send the report as the guest's device gave it, once";
    FORMAT = "snp.format", "the report has the length and a version that are known",
        "send the 1184 bytes of a report of version 2 to 5, nothing before or behind them";
    VERSION = "snp.version", "the report names its processor, or the policy names the product of those that do not",
        "update the machine's firmware, or decide `unnamed_product`";
    RESERVED = "snp.reserved", "whatever the report keeps free is zero",
        "update this program: a newer firmware may have given the field a meaning";
    ALGORITHM = "snp.signature-algorithm", "the report is signed with ECDSA on P-384 and SHA-384",
        "take a new report; the firmware knows no other algorithm";
    SIGNED = "snp.signed", "the report carries a signature",
        "take a new report from the machine's firmware";
    PRODUCT = "snp.product", "the processor is of a product that the policy accepts",
        "run the guest on an accepted product, or decide the product's floors in `products`";
    CERTIFICATE = "snp.certificate", "the certificate of the key that signed came with the report",
        "staple the VCEK or VLEK with its intermediate from AMD's service or the host's table";
    VEK = "snp.vek", "the certificate of the signing key says what AMD's do",
        "fetch the certificate again from AMD's service";
    SIGNING_KEY = "snp.signing-key", "the report names the kind of key that the certificate is for, and the policy accepts it",
        "staple the certificate of the kind that the report names, or decide `signing_keys`";
    CSP = "snp.csp", "the provider that the key was lent to is accepted",
        "list the provider in `signing_keys.vlek.csp_ids`";
    MASK = "snp.mask-chip-key", "the machine's owner has not forbidden the chip's key to sign",
        "have the host clear MaskChipKey and take a new report";
    CHAIN = "snp.chain", "the certificate leads over the product's intermediate to its root",
        "staple the intermediate of the same product and kind; name test roots in `roots`";
    VALIDITY = "snp.validity", "every certificate of the chain is valid at the time of the appraisal",
        "fetch the certificates again, or judge at the time when the evidence was made";
    REVOCATION = "snp.revocation", "AMD's revocation list is there, valid, and names no certificate of the chain",
        "staple the list from AMD's service, or decide `revocation`";
    SIGNATURE = "snp.signature", "the certificate's key signed the report",
        "staple the certificate for this chip and the report's reported_tcb";
    VEK_PRODUCT = "snp.vek-product", "the certificate names the processor's product",
        "staple the certificate of this machine";
    VEK_TCB = "snp.vek-tcb", "the certificate is for the firmware that the report claims",
        "fetch the VCEK for the report's reported_tcb";
    VEK_CHIP = "snp.vek-chip", "the certificate is for the chip that the report names",
        "staple the certificate of this chip; the host must not mask its identifier";
    TCB_ORDER = "snp.tcb-order", "reported firmware is not ahead of committed, nor that of current firmware",
        "have the machine's owner reset its reported version";
    TCB = "snp.tcb", "no component of the reported firmware is below the product's floor",
        "update the machine's firmware and microcode, commit it, and take a new report";
    LAUNCH_TCB = "snp.launch-tcb", "no component of the firmware that the guest was launched on is below the product's floor",
        "restart the guest on updated firmware";
    FIRMWARE = "snp.firmware", "the committed firmware version is not below the floor, nor ahead of the one that runs",
        "update the machine's firmware and commit it";
    MITIGATIONS = "snp.mitigations", "the mitigations that the policy demands were verified, at launch and now",
        "update the machine's firmware, have it verify the mitigation, and restart the guest";
    DEBUG = "snp.debug", "the host cannot debug the guest",
        "launch the guest with a policy whose bit 19 is clear";
    POLICY_BIT = "snp.policy-bit-17", "the bit of the guest policy that is always set is set",
        "launch the guest with a policy whose bit 17 is set";
    MIGRATION = "snp.migration", "no migration agent may take the guest along, or only one that is listed",
        "launch the guest with a policy whose bit 18 is clear, or list the agent in `guest.migration`";
    GUEST_SMT = "snp.guest-smt", "the guest policy allows SMT only if the appraisal does",
        "launch the guest with a policy whose bit 16 is clear";
    SINGLE_SOCKET = "snp.single-socket", "the guest policy keeps the guest on one socket if that is demanded",
        "launch the guest with a policy whose bit 20 is set";
    ABI = "snp.abi", "the guest policy asks for an interface version that is not below the floor",
        "launch the guest with a policy whose bits 0 to 15 ask for it";
    CIPHERTEXT_HIDING = "snp.ciphertext-hiding", "the guest policy demands that ciphertext is hidden, if that is demanded",
        "launch the guest with a policy whose bit 24 is set";
    CXL = "snp.cxl", "the guest policy allows memory behind CXL only if the appraisal does",
        "launch the guest with a policy whose bit 21 is clear";
    AES_256_XTS = "snp.aes-256-xts", "the guest policy demands AES-256-XTS if that is demanded",
        "launch the guest with a policy whose bit 22 is set";
    RAPL = "snp.rapl", "the guest policy demands that the power meter is off, if that is demanded",
        "launch the guest with a policy whose bit 23 is set";
    PAGE_SWAP = "snp.page-swap", "the guest policy demands that pages are not moved or swapped, if that is demanded",
        "launch the guest with a policy whose bit 25 is set";
    ALIAS_CHECK = "snp.alias-check", "the firmware found no two addresses for one cell of memory (BadRAM), if that is demanded",
        "update the machine's firmware until platform_info has bit 5 set";
    SMT = "snp.smt", "SMT is off if that is demanded",
        "have the machine's owner turn SMT off";
    TSME = "snp.tsme", "all memory is encrypted if that is demanded",
        "have the machine's owner turn TSME on";
    VMPL = "snp.vmpl", "the report was asked for at a privilege level that the policy lists",
        "ask for the report at a listed level, or decide `guest.vmpl`";
    MEASUREMENT = "snp.measurement", "the launch digest is one that the reference values name",
        "recompute the digest of the image (`cmcp measure snp`) and name it in `measurements`";
    HOST_DATA = "snp.host-data", "what the host said at launch is listed",
        "launch the guest with the pinned host data, or decide `host_data`";
    ID_KEY = "snp.id-key", "the ID block was signed by a key that is listed",
        "launch the guest with the ID block of a listed signer";
    AUTHOR_KEY = "snp.author-key", "the ID block's signer was certified by an author that is listed",
        "launch the guest with the ID block of a listed author";
    FAMILY_ID = "snp.family-id", "the ID block names a family that is listed",
        "launch the guest with a listed family, or decide `id_block.family_ids`";
    IMAGE_ID = "snp.image-id", "the ID block names an image that is listed",
        "launch the guest with a listed image, or decide `id_block.image_ids`";
    GUEST_SVN = "snp.guest-svn", "the ID block gives the guest a security version that is not below the floor",
        "launch a newer release of the guest";
    CHIP_ID = "snp.chip-id", "the chip is listed",
        "run the guest on a listed machine, or add the chip to `chip_ids`";
    IDENTITY = "snp.identity", "chips or host data are pinned, or the policy says that any machine will do",
        "pin `chip_ids` or `host_data`";
    BINDING = "snp.binding", "all 64 bytes of report data are those expected",
        "take a new report for this challenge";
}

/// What one report is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// The report's bytes.
    pub(crate) report: &'a [u8],
    /// What came with it.
    pub(crate) endorsements: &'a Endorsements,
    /// What is accepted.
    pub(crate) policy: &'a SnpPolicy,
    /// The report data that is expected; none where no binding was named.
    pub(crate) binding: Option<[u8; 64]>,
    /// The time of the appraisal.
    pub(crate) at: Timestamp,
}

/// Judges the evidence of the platform `snp`.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &SnpPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(ALL);
    let binding = input.binding.report_data();
    if *input.binding != Binding::Unknown && binding.is_none() {
        checks.fail(
            &BINDING,
            "a challenge of at most 64 bytes",
            "a longer one, which no report can carry",
        );
    }
    for (part, _) in input.evidence.parts() {
        if part != Part::Report {
            proved.note(format!("the part `{}` was not looked at", part.as_str()));
        }
    }
    let Some(report) = input.evidence.part(Part::Report) else {
        let found = input.evidence.all(Part::Report).count();
        checks.fail(&PRESENT, "one report", found);
        return;
    };
    let case = Case {
        report,
        endorsements: input.endorsements,
        policy,
        binding,
        at: input.at,
    };
    judge(&case, checks, proved);
}

/// Judges one report, also one that other evidence contains.
pub(crate) fn judge(case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
    checks.require(ALL);
    checks.met(&PRESENT);
    let format = "a report of version 2 to 5";
    let Some(report) = checks.take(&FORMAT, parse(case.report), format) else {
        return;
    };
    claims(&report, proved);
    words(&report, checks);
    chain::check_words(&report, checks);
    guest::check(&report, case.policy, checks, proved);
    machine::check(&report, case.policy, checks, proved);
    binding(&report, case.binding, checks);
    let signer = Signer::find(case, &report, checks, proved);
    let named = signer.as_ref().and_then(|signer| signer.vek.as_ref());
    let named = named.and_then(|vek| Product::from_name(&vek.product_name));
    // Where the product is refused already, the one that the certificate names lays out the rest, so
    // that its faults are told too.
    let Some(product) = product(&report, case.policy, checks, proved).or(named) else {
        return;
    };
    let floors = case.policy.products.of(product);
    Versions::read(&report, product, checks).check(floors, checks, proved);
    if let Some(signer) = signer {
        let subject = Subject {
            case,
            report: &report,
            product,
        };
        signer.check(&subject, checks, proved);
    }
}

/// The product that the report's processor is of, or that the policy says it is of.
fn product(
    report: &Report<'_>,
    policy: &SnpPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) -> Option<Product> {
    let accepted: Vec<&str> = Product::ALL
        .into_iter()
        .filter(|product| policy.products.of(*product).is_some())
        .map(Product::as_str)
        .collect();
    let accepted = accepted.join(" or ");
    let version = report.version;
    let named = match (report.cpuid, policy.unnamed_product) {
        (Some(cpuid), _) => {
            checks.met(&VERSION);
            Product::from_cpuid(cpuid)
        }
        (None, Some(product)) => {
            checks.met(&VERSION);
            Ok(product)
        }
        (None, None) => {
            checks.fail(
                &VERSION,
                "version 3 to 5, or a policy that names the product of version 2",
                version,
            );
            Err(format!("a report of version {version}, which names none"))
        }
    };
    let product = match named {
        Ok(product) => product,
        Err(found) => {
            checks.fail(&PRODUCT, accepted, found);
            return None;
        }
    };
    proved.claim(
        About::Where,
        "product",
        product.as_str().to_ascii_lowercase(),
    );
    if product == Product::Milan {
        proved.note(
            "on Milan the seed of a chip's keys is said to be readable by software (arXiv 2605.12990): \
             no firmware version shows whether it was, so pin the chips",
        );
    }
    let known = policy.products.of(product).is_some();
    checks.expect(&PRODUCT, known, accepted, product);
    Some(product)
}

fn binding(report: &Report<'_>, expected: Option<[u8; 64]>, checks: &mut Checks) {
    match expected {
        None => checks.not_applicable(&BINDING, "no binding was named"),
        Some(expected) => {
            checks.expect(
                &BINDING,
                report.report_data == expected,
                hex::encode(&expected),
                hex::encode(report.report_data),
            );
        }
    }
}

/// The checks of words that have a meaning whatever the product.
fn words(report: &Report<'_>, checks: &mut Checks) {
    checks.expect(
        &ALGORITHM,
        report.signature_algo == 1,
        "1, ECDSA on P-384 with SHA-384",
        report.signature_algo,
    );
    checks.met(&RESERVED);
    for (at, run) in report.used_reserved() {
        checks.fail(
            &RESERVED,
            "zeros where nothing is defined",
            format_args!("bytes at {at:#x} are used: {}", hex::encode(run)),
        );
    }
    let policy = bits::unknown(report.policy & !bits::ABI, &bits::POLICY);
    let flags = bits::unknown(u64::from(report.flags) & !bits::SIGNING_KEY, &bits::FLAGS);
    for (word, unknown) in [("the guest policy", policy), ("the flags", flags)] {
        if unknown != 0 {
            checks.fail(
                &RESERVED,
                "zeros where nothing is defined",
                format_args!("bits {:?} of {word} are set", bits::numbers(unknown)),
            );
        }
    }
}

fn claims(report: &Report<'_>, proved: &mut Proved) {
    let policy = hex::encode(&report.policy.to_be_bytes());
    for (about, name, value) in [
        (About::What, "measurement", hex::encode(report.measurement)),
        (About::What, "guest-policy", policy),
        (About::What, "guest-svn", report.guest_svn.to_string()),
        (About::What, "vmpl", report.vmpl.to_string()),
        (About::What, "family-id", hex::encode(report.family_id)),
        (About::What, "image-id", hex::encode(report.image_id)),
        (About::What, "report-id", hex::encode(report.report_id)),
        (About::Who, "host-data", hex::encode(report.host_data)),
        (
            About::Who,
            "id-key-digest",
            hex::encode(report.id_key_digest),
        ),
        (
            About::Who,
            "author-key-digest",
            hex::encode(report.author_key_digest),
        ),
        (About::Where, "chip-id", hex::encode(report.chip_id)),
        (About::Where, "firmware", report.committed.to_string()),
        (
            About::Where,
            "platform-info",
            bits::names(report.platform_info, &bits::PLATFORM).join(" "),
        ),
        (About::When, "report-data", hex::encode(report.report_data)),
    ] {
        proved.claim(about, name, value);
    }
    if let Some(Mitigations { launch, current }) = report.mitigations {
        let launch = hex::encode(&launch.to_be_bytes());
        let current = hex::encode(&current.to_be_bytes());
        proved.claim(About::Where, "mitigations-at-launch", launch);
        proved.claim(About::Where, "mitigations", current);
    }
    proved.note(
        "SEV-SNP does not hold against somebody who can touch the machine (DDR4 and DDR5 interposers)",
    );
}

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;
