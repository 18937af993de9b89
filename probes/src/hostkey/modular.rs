//! Arithmetic modulo large odd numbers, for keys that the library does not take.
//!
//! All inputs are public, so nothing here has to be constant-time; their sizes are bounded by the callers, as they cost CPU.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, NonZero, Odd};

/// The size of a number without leading zeros, in bits.
pub(super) fn bit_length(number: &[u8]) -> u32 {
    let bytes = u32::try_from(number.len()).unwrap_or(u32::MAX);
    bytes.saturating_mul(8).saturating_sub(number.first().map_or(0, |top| top.leading_zeros()))
}

/// Without leading zeros.
pub(super) fn magnitude(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// An odd modulus, ready for arithmetic. All numbers are big-endian.
pub(super) struct Modulus(BoxedMontyParams);

impl Modulus {
    /// `None` for an even number and for 1.
    pub(super) fn new(modulus: &[u8]) -> Option<Self> {
        let modulus = BoxedUint::from_be_slice_vartime(magnitude(modulus));
        if modulus.bit_width_vartime() < 2 {
            return None;
        }
        let odd = Option::<Odd<BoxedUint>>::from(Odd::new(modulus))?;
        Some(Self(BoxedMontyParams::new_vartime(odd)))
    }

    /// A number below the modulus; `None` for others.
    fn element(&self, number: &[u8]) -> Option<BoxedMontyForm> {
        let number = BoxedUint::from_be_slice(magnitude(number), self.0.bits_precision()).ok()?;
        (number < **self.0.modulus()).then(|| BoxedMontyForm::new(number, &self.0))
    }

    /// The remainder of any number.
    pub(super) fn reduce(&self, number: &[u8]) -> Option<Vec<u8>> {
        let number = BoxedUint::from_be_slice_vartime(magnitude(number));
        let modulus = Option::<NonZero<BoxedUint>>::from(NonZero::new(self.0.modulus().as_ref().clone()))?;
        Some(number.rem_vartime(&modulus).to_be_bytes().into_vec())
    }

    /// A power of a number below the modulus, as long as the modulus is.
    pub(super) fn power(&self, base: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
        Some(retrieved(&self.element(base)?.pow(&BoxedUint::from_be_slice_vartime(magnitude(exponent)))))
    }

    /// The product of two numbers below the modulus, as long as the modulus is.
    pub(super) fn product(&self, a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
        Some(retrieved(&self.element(a)?.mul(&self.element(b)?)))
    }

    /// The inverse of a number below the modulus, if the modulus is a prime.
    pub(super) fn inverse(&self, number: &[u8]) -> Option<Vec<u8>> {
        let two = BoxedUint::from(2u8);
        let exponent = self.0.modulus().as_ref().wrapping_sub(two);
        Some(retrieved(&self.element(number)?.pow(&exponent)))
    }
}

fn retrieved(value: &BoxedMontyForm) -> Vec<u8> {
    value.retrieve().to_be_bytes().into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(bytes: &[u8]) -> u128 {
        bytes.iter().fold(0, |value, byte| value << 8 | u128::from(*byte))
    }

    #[test]
    fn senseless_moduli_and_operands_are_refused() {
        for modulus in [&[][..], &[0], &[1], &[0, 1], &[4]] {
            assert!(Modulus::new(modulus).is_none(), "{modulus:?}");
        }
        let modulus = Modulus::new(&[0, 0, 101]).unwrap();
        assert!(modulus.power(&[101], &[2]).is_none() && modulus.product(&[1], &[1, 0]).is_none());
        assert_eq!(modulus.power(&[7], &[]).map(|one| number(&one)), Some(1));
        assert_eq!(modulus.power(&[], &[7]).map(|zero| number(&zero)), Some(0));
    }

    proptest! {
        #[test]
        fn it_is_what_one_does_on_paper(modulus in 1u64..u64::MAX / 2, a: u64, b: u64, exponent in 0u16..2000) {
            let modulus = modulus * 2 + 1;
            let ours = Modulus::new(&modulus.to_be_bytes()).unwrap();
            let (a, b, m) = (u128::from(a % modulus), u128::from(b % modulus), u128::from(modulus));
            let bytes = |value: u128| value.to_be_bytes();
            prop_assert_eq!(number(&ours.product(&bytes(a), &bytes(b)).unwrap()), a * b % m);
            prop_assert_eq!(number(&ours.reduce(&bytes(a * b)).unwrap()), a * b % m);
            let power = (0..exponent).fold(1, |power, _| power * a % m);
            prop_assert_eq!(number(&ours.power(&bytes(a), &exponent.to_be_bytes()).unwrap()), power);
        }

        #[test]
        fn an_inverse_is_one(a in 1u64..0xffff_fffb) {
            let modulus = Modulus::new(&0xffff_fffb_u64.to_be_bytes()).unwrap();
            let inverse = modulus.inverse(&a.to_be_bytes()).unwrap();
            prop_assert_eq!(number(&modulus.product(&a.to_be_bytes(), &inverse).unwrap()), 1);
        }
    }
}
