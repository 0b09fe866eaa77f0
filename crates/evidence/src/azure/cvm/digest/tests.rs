use super::*;
use crate::{
    azure::tests::vm::{self, ak, ek},
    forge::Key,
};

#[test]
fn the_digest_of_a_key_is_that_of_its_spki() {
    for key in [ak(), ek(), Key::rsa1024(), Key::rsa4096(0)] {
        let (n, e) = key.modulus_and_exponent();
        let expected = vm::digest(&key);
        assert_eq!(
            key_digest(&RsaKey {
                n: n.clone(),
                e: e.clone()
            })
            .as_bytes()
            .to_vec(),
            expected
        );
        let padded = RsaKey {
            n: [vec![0; 3], n].concat(),
            e,
        };
        assert_eq!(key_digest(&padded).as_bytes().to_vec(), expected);
    }
    assert_eq!(element(4, &[]), [4, 0]);
    assert_eq!(element(4, &[0; 127])[..2], [4, 127]);
    assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
    assert_eq!(element(4, &[0; 65_536])[..5], [4, 0x83, 1, 0, 0]);
}
