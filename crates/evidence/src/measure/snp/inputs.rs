//! The inputs of a launch digest as a JSON document, for guests whose firmware is not at hand.

use cmcp_json::{Object, Value};

use super::{
    Firmware, KernelDigests, Launch, Section, SectionKind, SnpMeasureError, Vcpu, Vmm,
    cmdline_digest,
};
use crate::{Sha256Digest, Sha384Digest};

impl Launch {
    /// Reads `{vcpus, vcpu_type | vcpu_signature, guest_features, ovmf_hash, ovmf_sections: [{gpa, size,
    /// type}], ? reset_eip, ? vmm_type, ? kernel_hash, ? initrd_hash, ? cmdline, ? hashes_table_gpa}`, where
    /// `ovmf_hash` is the launch digest over the firmware's own pages. The members `source`,
    /// `expected_measurement`, `report` and `version` describe the document and are left alone.
    ///
    /// # Errors
    ///
    /// A member is missing, not known, or of another kind.
    pub fn from_inputs(document: &Value) -> Result<Self, SnpMeasureError> {
        let object = document
            .as_object()
            .ok_or_else(|| fault("inputs", "must be an object"))?;
        if let Some(unknown) = object.keys().find(|name| !KNOWN.contains(name)) {
            return Err(fault(unknown, "is not known"));
        }
        let inputs = Inputs(object);
        let firmware = Firmware {
            digest: inputs.digest("ovmf_hash")?,
            sections: inputs.sections()?,
            hashes_table: inputs.optional("hashes_table_gpa", Inputs::u32)?,
            reset_entry: inputs.optional("reset_eip", Inputs::u32)?,
        };
        Ok(Self {
            firmware: firmware.bounded()?,
            kernel: inputs.kernel()?,
            vcpus: inputs.u32("vcpus")?,
            vcpu: inputs.vcpu()?,
            guest_features: inputs.u64("guest_features")?,
            vmm: inputs
                .optional("vmm_type", Inputs::vmm)?
                .unwrap_or(Vmm::Qemu),
        })
    }
}

struct Inputs<'a>(&'a Object);

impl<'a> Inputs<'a> {
    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, SnpMeasureError>,
    ) -> Result<Option<T>, SnpMeasureError> {
        match self.0.get(name) {
            Some(_) => read(self, name).map(Some),
            None => Ok(None),
        }
    }

    fn value(&self, name: &str) -> Result<&'a Value, SnpMeasureError> {
        self.0.get(name).ok_or_else(|| fault(name, "is missing"))
    }

    fn text(&self, name: &str) -> Result<&'a str, SnpMeasureError> {
        let value = self.value(name)?;
        value.as_str().ok_or_else(|| fault(name, "must be a text"))
    }

    fn u64(&self, name: &str) -> Result<u64, SnpMeasureError> {
        let value = self.value(name)?;
        value
            .as_u64()
            .ok_or_else(|| fault(name, "must be a whole number"))
    }

    fn u32(&self, name: &str) -> Result<u32, SnpMeasureError> {
        u32::try_from(self.u64(name)?).map_err(|_| fault(name, "must be below 2^32"))
    }

    fn digest(&self, name: &str) -> Result<Sha384Digest, SnpMeasureError> {
        Sha384Digest::from_hex(self.text(name)?)
            .map_err(|_| fault(name, "must be 96 hexadecimal digits"))
    }

    fn sha256(&self, name: &str) -> Result<Sha256Digest, SnpMeasureError> {
        Sha256Digest::from_hex(self.text(name)?)
            .map_err(|_| fault(name, "must be 64 hexadecimal digits"))
    }

    fn vmm(&self, name: &str) -> Result<Vmm, SnpMeasureError> {
        let known = "must be one of: qemu, ec2, ec2-2023, gce";
        Vmm::parse(self.text(name)?).ok_or_else(|| fault(name, known))
    }

    fn vcpu(&self) -> Result<Vcpu, SnpMeasureError> {
        match (
            self.optional("vcpu_signature", Self::u32)?,
            self.optional("vcpu_type", Self::text)?,
        ) {
            (Some(signature), None) => Ok(Vcpu(signature)),
            (None, Some(name)) => Vcpu::from_model(name).ok_or_else(|| {
                fault(
                    "vcpu_type",
                    "is not a known model: write `vcpu_signature` instead",
                )
            }),
            (Some(_), Some(_)) | (None, None) => Err(fault(
                "vcpu_type",
                "or `vcpu_signature`, one of them, must be there",
            )),
        }
    }

    fn kernel(&self) -> Result<Option<KernelDigests>, SnpMeasureError> {
        let Some(kernel) = self.optional("kernel_hash", Self::sha256)? else {
            for name in ["initrd_hash", "cmdline"] {
                if self.0.get(name).is_some() {
                    return Err(fault(name, "is there without `kernel_hash`"));
                }
            }
            return Ok(None);
        };
        let initrd = self.optional("initrd_hash", Self::sha256)?;
        let cmdline = self.optional("cmdline", Self::text)?;
        Ok(Some(KernelDigests {
            kernel,
            initrd: initrd.unwrap_or_else(|| Sha256Digest::of(&[])),
            cmdline: cmdline_digest(cmdline.unwrap_or_default()),
        }))
    }

    fn sections(&self) -> Result<Vec<Section>, SnpMeasureError> {
        let name = "ovmf_sections";
        let list = self.value(name)?.as_array();
        let list = list.ok_or_else(|| fault(name, "must be a list"))?;
        let read = |section: &Value| {
            let wrong = || fault(name, "must be a list of `gpa`, `size`, `type`");
            let inside = Inputs(section.as_object().ok_or_else(wrong)?);
            let number = inside.u32("type")?;
            let kind = SectionKind::from_number(number)
                .ok_or_else(|| fault(name, format!("has a section of unknown type {number}")))?;
            Ok(Section {
                gpa: inside.u32("gpa")?,
                size: inside.u32("size")?,
                kind,
            })
        };
        list.iter().map(read).collect()
    }
}

fn fault(member: &str, what: impl Into<String>) -> SnpMeasureError {
    SnpMeasureError::Inputs {
        member: member.to_owned(),
        what: what.into(),
    }
}

const KNOWN: [&str; 16] = [
    "cmdline",
    "expected_measurement",
    "guest_features",
    "hashes_table_gpa",
    "initrd_hash",
    "kernel_hash",
    "ovmf_hash",
    "ovmf_sections",
    "report",
    "reset_eip",
    "source",
    "vcpu_signature",
    "vcpu_type",
    "vcpus",
    "version",
    "vmm_type",
];
