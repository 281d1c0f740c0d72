//! Hashes of member names.

/// A number below 64 for a member name, the same as
/// [`Value::name_hash`](crate::Value::name_hash) gives for a member of this
/// name: whoever looks for some names makes a table of their hashes, and most
/// others are told by one look into it.
#[must_use]
pub const fn name_hash(name: &str) -> u8 {
    hash(prefix(0, name.as_bytes()))
}

/// [`name_hash`] of `_name`, see
/// [`Value::is_extension_of`](crate::Value::is_extension_of).
#[must_use]
pub const fn extension_name_hash(name: &str) -> u8 {
    hash(prefix(b'_', name.as_bytes()))
}

/// The hash of a name with this prefix.
#[inline]
pub(crate) const fn hash(prefix: u64) -> u8 {
    (prefix.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as u8
}

/// What `scan::prefix` gives, at compile time where `name` is known then:
/// `first`, if it is no zero, and `name` after it.
#[inline(always)]
pub(crate) const fn prefix(first: u8, name: &[u8]) -> u64 {
    let mut word = first as u64;
    let mut left = if first == 0 { 8 } else { 7 };
    let mut at = 0;
    while left > 0 {
        word = word << 8 | if at < name.len() { name[at] as u64 } else { 0 };
        at += 1;
        left -= 1;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    #[test]
    fn prefixes_are_those_of_the_tape() {
        for name in ["", "a", "status", "eightlet", "ninelette", "ä€", "_id"] {
            let half = format!("_{name}");
            for (made, text) in [
                (prefix(0, name.as_bytes()), name),
                (prefix(b'_', name.as_bytes()), &*half),
            ] {
                let own = scan::prefix(text.as_bytes(), 0, text.len() as u32);
                assert_eq!(made, own, "{text}");
            }
        }
    }
}
