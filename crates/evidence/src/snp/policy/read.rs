//! Reads the section `snp`, and refuses what contradicts itself.

use cmcp_json::Value;

use super::{
    Allowance, Demand, Floors, GuestRules, IdBlockRules, Identity, MachineRules, Migration,
    MitigationRules, Products, Revocation, SigningKeys, SnpPolicy, Vcek, Vlek,
};
use crate::{
    policy::{
        Fields, Pin,
        fields::{hex_of, number, text},
    },
    snp::{
        bits,
        report::Firmware,
        tcb::{Product, Tcb},
    },
};

impl SnpPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let identity = fields.word(
            "identity",
            &[
                ("pinned", Identity::Pinned),
                ("danger-any-machine", Identity::DangerAnyMachine),
            ],
        );
        let policy = Self::read_inner(fields)?;
        let policy = Self {
            identity: identity?,
            ..policy
        };
        let pinned = policy.pins_identity();
        match policy.identity {
            Identity::Pinned if !pinned => {
                fields.fault(
                    "identity",
                    "is `pinned`, and neither `chip_ids` nor `host_data` is: pin one of them",
                );
                None
            }
            Identity::DangerAnyMachine if pinned => {
                fields.fault(
                    "identity",
                    "is `danger-any-machine`, and `chip_ids` or `host_data` is pinned: write `pinned`",
                );
                None
            }
            Identity::Pinned | Identity::DangerAnyMachine | Identity::Outer => Some(policy),
        }
    }

    /// Reads the section where another platform's decides about identity.
    pub(crate) fn read_inner(fields: &mut Fields<'_>) -> Option<Self> {
        let roots = fields.roots("roots");
        let products = fields.section("products", Products::read);
        let unnamed_product = fields.word(
            "unnamed_product",
            &[
                ("refused", None),
                ("milan", Some(Product::Milan)),
                ("genoa", Some(Product::Genoa)),
                ("turin", Some(Product::Turin)),
            ],
        );
        let signing_keys = fields.section("signing_keys", SigningKeys::read);
        let revocation = fields.word(
            "revocation",
            &[
                ("crl-required", Revocation::CrlRequired),
                ("not-checked", Revocation::NotChecked),
            ],
        );
        let guest = fields.section("guest", GuestRules::read);
        let machine = fields.section("machine", MachineRules::read);
        let id_block = fields.section("id_block", IdBlockRules::read);
        let measurements = fields.measurements("measurements", 48);
        let host_data = fields.hex_pin("host_data", 32);
        let chip_ids = fields.hex_pin("chip_ids", 64);
        let policy = Self {
            roots: roots?,
            products: products?,
            unnamed_product: unnamed_product?,
            signing_keys: signing_keys?,
            revocation: revocation?,
            guest: guest?,
            machine: machine?,
            id_block: id_block?,
            measurements: measurements?,
            host_data: host_data?,
            chip_ids: chip_ids?,
            identity: Identity::Outer,
        };
        policy.agrees(fields).then_some(policy)
    }

    fn agrees(&self, fields: &mut Fields<'_>) -> bool {
        let mut agrees = true;
        if let Some(product) = self.unnamed_product
            && self.products.of(product).is_none()
        {
            fields.fault("unnamed_product", "names a product that is refused");
            agrees = false;
        }
        let masked = |chip: &Vec<u8>| chip.iter().all(|byte| *byte == 0);
        if let Pin::OneOf(chips) = &self.chip_ids
            && chips.iter().any(masked)
        {
            fields.fault("chip_ids", "lists zeros, which is a chip that hides itself");
            agrees = false;
        }
        agrees
    }
}

impl Products {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let milan = fields.section_or("milan", "refused", |fields| {
            Floors::read(fields, Product::Milan)
        });
        let genoa = fields.section_or("genoa", "refused", |fields| {
            Floors::read(fields, Product::Genoa)
        });
        let turin = fields.section_or("turin", "refused", |fields| {
            Floors::read(fields, Product::Turin)
        });
        let products = Self {
            milan: milan?,
            genoa: genoa?,
            turin: turin?,
        };
        if Product::ALL
            .iter()
            .all(|product| products.of(*product).is_none())
        {
            fields.fault(
                "milan",
                "is refused like every other product: accept one, or refuse the platform",
            );
            return None;
        }
        Some(products)
    }
}

impl Floors {
    fn read(fields: &mut Fields<'_>, product: Product) -> Option<Self> {
        let tcb = fields.section("tcb", |fields| read_tcb(fields, product));
        let launch_tcb = fields.section("launch_tcb", |fields| read_tcb(fields, product));
        Some(Self {
            tcb: tcb?,
            launch_tcb: launch_tcb?,
        })
    }
}

fn read_tcb(fields: &mut Fields<'_>, product: Product) -> Option<Tcb> {
    let fmc = match product {
        Product::Milan | Product::Genoa => Some(0),
        Product::Turin => byte(fields, "fmc"),
    };
    let bootloader = byte(fields, "bootloader");
    let tee = byte(fields, "tee");
    let snp = byte(fields, "snp");
    let microcode = byte(fields, "microcode");
    Some(Tcb {
        fmc: fmc?,
        bootloader: bootloader?,
        tee: tee?,
        snp: snp?,
        microcode: microcode?,
    })
}

impl SigningKeys {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let vcek = fields.word(
            "vcek",
            &[("accepted", Vcek::Accepted), ("refused", Vcek::Refused)],
        );
        let vlek = fields.section_or("vlek", "refused", |fields| fields.pin("csp_ids", text));
        let vlek = vlek?.map_or(Vlek::Refused, |csp_ids| Vlek::Accepted { csp_ids });
        let keys = Self { vcek: vcek?, vlek };
        if keys.vcek == Vcek::Refused && keys.vlek == Vlek::Refused {
            fields.fault("vlek", "is refused as `vcek` is: no report could be signed");
            return None;
        }
        Some(keys)
    }
}

impl GuestRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let vmpl = fields.read("vmpl", levels);
        let abi = fields.read("abi", interface);
        let smt = allowance(fields, "smt");
        let single_socket = demand(fields, "single_socket");
        let migration = fields.read("migration", migration);
        let ciphertext_hiding = demand(fields, "ciphertext_hiding");
        let cxl = allowance(fields, "cxl");
        let aes_256_xts = demand(fields, "aes_256_xts");
        let rapl_disabled = demand(fields, "rapl_disabled");
        let page_swap_disabled = demand(fields, "page_swap_disabled");
        Some(Self {
            vmpl: vmpl?,
            abi: abi?,
            smt: smt?,
            single_socket: single_socket?,
            migration: migration?,
            ciphertext_hiding: ciphertext_hiding?,
            cxl: cxl?,
            aes_256_xts: aes_256_xts?,
            rapl_disabled: rapl_disabled?,
            page_swap_disabled: page_swap_disabled?,
        })
    }
}

impl MachineRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let firmware = fields.read("firmware", version);
        let alias_check = demand(fields, "alias_check");
        let smt = allowance(fields, "smt");
        let tsme = demand(fields, "tsme");
        let mitigations = fields.section("mitigations", |fields| {
            let launch = fields.read("launch", bit_list);
            let current = fields.read("current", bit_list);
            Some(MitigationRules {
                launch: launch?,
                current: current?,
            })
        });
        Some(Self {
            firmware: firmware?,
            alias_check: alias_check?,
            smt: smt?,
            tsme: tsme?,
            mitigations: mitigations?,
        })
    }
}

impl IdBlockRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let id_key_digests = fields.hex_pin("id_key_digests", 48);
        let author_key_digests = fields.hex_pin("author_key_digests", 48);
        let family_ids = fields.hex_pin("family_ids", 16);
        let image_ids = fields.hex_pin("image_ids", 16);
        let guest_svn = fields.number("guest_svn", u32::MAX.into());
        let rules = Self {
            id_key_digests: id_key_digests?,
            author_key_digests: author_key_digests?,
            family_ids: family_ids?,
            image_ids: image_ids?,
            guest_svn: u32::try_from(guest_svn?).ok()?,
        };
        let signer = !rules.id_key_digests.is_any() || !rules.author_key_digests.is_any();
        let said = !rules.family_ids.is_any() || !rules.image_ids.is_any() || rules.guest_svn > 0;
        if said && !signer {
            fields.fault(
                "id_key_digests",
                "is `any`, and so whoever starts the guest picks its family, image and security version: \
                 pin the signer of the ID block, or its author",
            );
            return None;
        }
        Some(rules)
    }
}

fn byte(fields: &mut Fields<'_>, name: &'static str) -> Option<u8> {
    let number = fields.number(name, u8::MAX.into())?;
    u8::try_from(number).ok()
}

fn demand(fields: &mut Fields<'_>, name: &'static str) -> Option<Demand> {
    let words = [
        ("required", Demand::Required),
        ("not-required", Demand::NotRequired),
    ];
    fields.word(name, &words)
}

fn allowance(fields: &mut Fields<'_>, name: &'static str) -> Option<Allowance> {
    let words = [
        ("allowed", Allowance::Allowed),
        ("forbidden", Allowance::Forbidden),
    ];
    fields.word(name, &words)
}

fn levels(value: &Value) -> Result<Vec<u32>, String> {
    match value.as_array() {
        Some([]) | None => Err("must be a list of privilege levels, like [0]".to_owned()),
        Some(list) => list
            .iter()
            .map(|level| {
                let level = number(level, 3)?;
                u32::try_from(level).map_err(|error| error.to_string())
            })
            .collect(),
    }
}

fn migration(value: &Value) -> Result<Migration, String> {
    match (value.as_str(), value.as_array()) {
        (Some("refused"), _) => Ok(Migration::Refused),
        (_, Some(list)) if !list.is_empty() => {
            let agents: Result<Vec<Vec<u8>>, String> =
                list.iter().map(|agent| hex_of(agent, 32)).collect();
            agents.map(Migration::By)
        }
        (_, _) => Err("must be `refused`, or a list of report ids of migration agents".to_owned()),
    }
}

/// `1.55`.
fn interface(value: &Value) -> Result<(u8, u8), String> {
    let numbers = numbers(value).unwrap_or_default();
    match numbers.as_slice() {
        [major, minor] => Ok((*major, *minor)),
        _ => Err("must be a version in quotes, like \"1.55\"".to_owned()),
    }
}

/// `1.55` or `1.55.40`; a text, because a number would lose the last zero of `1.50`.
fn version(value: &Value) -> Result<Firmware, String> {
    let (major, minor, build) = match numbers(value).unwrap_or_default().as_slice() {
        [major, minor] => (*major, *minor, 0),
        [major, minor, build] => (*major, *minor, *build),
        _ => {
            return Err("must be a version in quotes, like \"1.55\" or \"1.55.40\"".to_owned());
        }
    };
    Ok(Firmware {
        major,
        minor,
        build,
    })
}

fn numbers(value: &Value) -> Option<Vec<u8>> {
    let parts = value.as_str()?.split('.');
    parts.map(|part| part.parse().ok()).collect()
}

fn bit_list(value: &Value) -> Result<u64, String> {
    match (value.as_str(), value.as_array()) {
        (Some("none"), _) => Ok(0),
        (_, Some(list)) if !list.is_empty() => {
            let bits: Result<Vec<u32>, String> = list
                .iter()
                .map(|bit| {
                    let bit = number(bit, 63)?;
                    u32::try_from(bit).map_err(|error| error.to_string())
                })
                .collect();
            bits.map(|bits| bits::mask(&bits))
        }
        (_, _) => Err("must be `none`, or a list of bit numbers".to_owned()),
    }
}
