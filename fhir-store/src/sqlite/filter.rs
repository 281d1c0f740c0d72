/// A Bloom filter over the resources of a store: tells for sure that one is *not* there.
///
/// It saves a first load the look-up of every single resource.
/// Its size is fixed; the more resources, the more often it doesn't know.
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            words: vec![0; WORDS],
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        for bit in bits(hash) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// `false` where `hash` was never inserted.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        bits(hash).all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0)
    }
}

/// The bits of one member, by double hashing (Kirsch and Mitzenmacher 2006).
fn bits(hash: u64) -> impl Iterator<Item = usize> {
    let (first, second) = (hash as u32, (hash >> 32) as u32 | 1);
    (0..PROBES).map(move |probe| {
        let mixed = first.wrapping_add(probe.wrapping_mul(second));
        // The high bits: with an odd step the low ones cycle early.
        (mixed >> (32 - BITS_LOG2)) as usize
    })
}

/// 8 MiB: one in a hundred new resources is looked up in vain once there are 6 million.
const BITS_LOG2: u32 = 26;
const WORDS: usize = 1 << (BITS_LOG2 - 6);
const PROBES: u32 = 4;

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn knows_its_members_and_few_others() {
        let state = RandomState::new();
        let mut filter = Filter::new();
        for member in 0..500_000_u32 {
            filter.insert(state.hash_one(member));
        }
        assert!((0..500_000_u32).all(|member| filter.may_contain(state.hash_one(member))));
        let mistaken = (500_000..600_000_u32)
            .filter(|&other| filter.may_contain(state.hash_one(other)))
            .count();
        assert!(mistaken < 1_000, "{mistaken} of 100000");
    }
}
