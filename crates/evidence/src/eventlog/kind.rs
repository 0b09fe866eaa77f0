//! Event types (TCG PC Client Platform Firmware Profile, sections 10.4 and 10.2).

macro_rules! kinds {
    ($($name:ident = $id:literal, $word:literal, $says:literal;)+) => {
        /// An event type of the profile.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Kind {
            $(#[doc = $says] $name,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its number.
            #[must_use]
            pub const fn id(self) -> u32 {
                match self { $(Self::$name => $id,)+ }
            }

            /// Its name in the profile.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What such an event tells.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)+ }
            }
        }
    };
}

kinds! {
    PrebootCert = 0x0000_0000, "EV_PREBOOT_CERT", "Reserved.";
    PostCode = 0x0000_0001, "EV_POST_CODE", "Firmware code that runs at power on.";
    NoAction = 0x0000_0003, "EV_NO_ACTION", "Tells something; nothing was extended.";
    Separator = 0x0000_0004, "EV_SEPARATOR", "Firmware hands over to the operating system.";
    Action = 0x0000_0005, "EV_ACTION", "Something was done.";
    EventTag = 0x0000_0006, "EV_EVENT_TAG", "Something that an operating system or its loader measured.";
    CrtmContents = 0x0000_0007, "EV_S_CRTM_CONTENTS", "The first code that ran.";
    CrtmVersion = 0x0000_0008, "EV_S_CRTM_VERSION", "The version of the first code that ran.";
    CpuMicrocode = 0x0000_0009, "EV_CPU_MICROCODE", "A microcode update.";
    PlatformConfigFlags = 0x0000_000a, "EV_PLATFORM_CONFIG_FLAGS", "The machine's configuration, ACPI tables among it.";
    TableOfDevices = 0x0000_000b, "EV_TABLE_OF_DEVICES", "The devices that were found.";
    CompactHash = 0x0000_000c, "EV_COMPACT_HASH", "A digest that a program passed in.";
    Ipl = 0x0000_000d, "EV_IPL", "What a boot loader measured.";
    IplPartitionData = 0x0000_000e, "EV_IPL_PARTITION_DATA", "The partition table.";
    NonhostCode = 0x0000_000f, "EV_NONHOST_CODE", "Code of another processor.";
    NonhostConfig = 0x0000_0010, "EV_NONHOST_CONFIG", "Configuration of another processor.";
    NonhostInfo = 0x0000_0011, "EV_NONHOST_INFO", "What is known of another processor.";
    OmitBootDeviceEvents = 0x0000_0012, "EV_OMIT_BOOT_DEVICE_EVENTS", "Boot devices were tried without being measured.";
    PostCode2 = 0x0000_0013, "EV_POST_CODE2", "Firmware code that runs at power on.";
    VariableDriverConfig = 0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG", "An EFI variable that firmware is configured by, those of secure boot among them.";
    VariableBoot = 0x8000_0002, "EV_EFI_VARIABLE_BOOT", "An EFI variable that says what is booted.";
    BootServicesApplication = 0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION", "A program that was loaded: boot loader, UKI, kernel.";
    BootServicesDriver = 0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER", "A driver that was loaded.";
    RuntimeServicesDriver = 0x8000_0005, "EV_EFI_RUNTIME_SERVICES_DRIVER", "A driver that stays after boot.";
    GptEvent = 0x8000_0006, "EV_EFI_GPT_EVENT", "The partition table.";
    EfiAction = 0x8000_0007, "EV_EFI_ACTION", "Something that firmware did.";
    FirmwareBlob = 0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB", "A part of the firmware.";
    HandoffTables = 0x8000_0009, "EV_EFI_HANDOFF_TABLES", "Tables that firmware hands over.";
    FirmwareBlob2 = 0x8000_000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2", "A part of the firmware.";
    HandoffTables2 = 0x8000_000b, "EV_EFI_HANDOFF_TABLES2", "Tables that firmware hands over; in a TD, the host's hand-off block.";
    VariableBoot2 = 0x8000_000c, "EV_EFI_VARIABLE_BOOT2", "An EFI variable that says what is booted.";
    GptEvent2 = 0x8000_000d, "EV_EFI_GPT_EVENT2", "The partition table.";
    HcrtmEvent = 0x8000_0010, "EV_EFI_HCRTM_EVENT", "What hardware measured before the first code ran.";
    VariableAuthority = 0x8000_00e0, "EV_EFI_VARIABLE_AUTHORITY", "The entry of a variable that let an image be loaded.";
    SpdmFirmwareBlob = 0x8000_00e1, "EV_EFI_SPDM_FIRMWARE_BLOB", "Firmware of a device.";
    SpdmFirmwareConfig = 0x8000_00e2, "EV_EFI_SPDM_FIRMWARE_CONFIG", "Configuration of a device.";
    SpdmDevicePolicy = 0x8000_00e3, "EV_EFI_SPDM_DEVICE_POLICY", "The certificates that devices are authenticated by.";
    SpdmDeviceAuthority = 0x8000_00e4, "EV_EFI_SPDM_DEVICE_AUTHORITY", "The certificate that a device was authenticated by.";
}

impl Kind {
    /// The type of that number.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.id() == id)
    }
}

/// The name of a type, or its number.
#[must_use]
pub fn kind_name(id: u32) -> String {
    Kind::from_id(id).map_or_else(|| format!("{id:#010x}"), |kind| kind.as_str().to_owned())
}
