/// A Bloom filter over the resources of a store: tells for sure that one is *not* there.
///
/// It saves a first load the look-up of every single resource.
/// Its size is fixed; the more resources, the more often it doesn't know.
pub(super) struct Filter {
    blocks: Vec<Block>,
}

/// What fits a line of the cache, so that a member costs one access to memory (Putze, Sanders and Singler 2007).
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Block([u64; 8]);

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            blocks: vec![Block::default(); BLOCKS],
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let block = &mut self.blocks[block(hash)];
        for (word, bit) in bits(hash) {
            block.0[word] |= bit;
        }
    }

    /// `false` where `hash` was never inserted.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let block = &self.blocks[block(hash)];
        bits(hash).all(|(word, bit)| block.0[word] & bit != 0)
    }

    /// Reads something of all that will be asked about these.
    pub(super) fn touch(&self, hashes: impl Iterator<Item = u64>) {
        // Nothing hangs on what is read, so that the reads don't wait for each other.
        let read = hashes.fold(0, |read, hash| read ^ self.blocks[block(hash)].0[0]);
        std::hint::black_box(read);
    }
}

/// From the highest bits, of which [`bits`] takes none.
fn block(hash: u64) -> usize {
    (hash >> (64 - BLOCKS_LOG2)) as usize
}

/// Words of a block and bits in them, nine bits of the hash for each.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..PROBES).map(move |probe| {
        let own = hash >> (9 * probe);
        ((own >> 6 & 7) as usize, 1 << (own & 63))
    })
}

/// 8 MiB: one in a hundred new resources is looked up in vain once there are 6 million.
const BLOCKS_LOG2: u32 = 17;
const BLOCKS: usize = 1 << BLOCKS_LOG2;
const PROBES: u32 = 5;

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
        assert!(mistaken < 100, "{mistaken} of 100000");
    }
}
