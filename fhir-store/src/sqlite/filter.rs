/// A Bloom filter over the resources of a store: tells for sure that one is *not* there.
///
/// It saves a first load the look-up of every single resource.
/// Its size is bounded; the more resources, the more often it doesn't know.
pub(super) struct Filter {
    layers: Vec<Layer>,
    /// How many are in the last layer.
    inserted: usize,
}

struct Layer(Vec<Block>);

/// What fits a line of the cache, so that a member costs one access to memory (Putze, Sanders and Singler 2007).
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Block([u64; 8]);

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            layers: vec![Layer::new()],
            inserted: 0,
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        if self.inserted >= FULL && self.layers.len() < MOST_LAYERS {
            self.layers.push(Layer::new());
            self.inserted = 0;
        }
        if let Some(last) = self.layers.last_mut() {
            last.insert(hash);
            self.inserted += 1;
        }
    }

    /// `false` where `hash` was never inserted.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        self.layers.iter().any(|layer| layer.may_contain(hash))
    }

    /// Reads something of all that will be asked about these.
    pub(super) fn touch(&self, hashes: impl Iterator<Item = u64> + Clone) {
        for Layer(blocks) in &self.layers {
            // Nothing hangs on what is read, so that the reads don't wait for each other.
            let read = hashes.clone();
            let read = read.fold(0, |read, hash| read ^ blocks[block(hash)].0[0]);
            std::hint::black_box(read);
        }
    }
}

impl Layer {
    fn new() -> Self {
        Self(vec![Block::default(); BLOCKS])
    }

    fn insert(&mut self, hash: u64) {
        let block = &mut self.0[block(hash)];
        for (word, bit) in bits(hash) {
            block.0[word] |= bit;
        }
    }

    fn may_contain(&self, hash: u64) -> bool {
        let block = &self.0[block(hash)];
        bits(hash).all(|(word, bit)| block.0[word] & bit != 0)
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

/// 4 MiB.
const BLOCKS_LOG2: u32 = 16;
const BLOCKS: usize = 1 << BLOCKS_LOG2;
/// Of what is not in a layer with as many, one in fifty is taken for a member.
const FULL: usize = 4_000_000;
const MOST_LAYERS: usize = 2;
const PROBES: u32 = 5;

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn knows_its_members_and_few_others() {
        let state = RandomState::new();
        let mut filter = Filter::new();
        let mut members = 0;
        // Few, a full layer, and one more.
        for (layers, more, mistaken) in [(1, 500_000, 100), (1, 3_500_000, 3_000), (2, 1, 3_000)] {
            for member in members..members + more {
                filter.insert(state.hash_one(member));
            }
            members += more;
            assert_eq!(filter.layers.len(), layers);
            let is_member = |member: u32| filter.may_contain(state.hash_one(member));
            assert!((0..members).step_by(7).all(is_member) && is_member(members - 1));
            let others = members..members + 100_000;
            let found = others.filter(|&other| is_member(other)).count();
            assert!(found < mistaken, "{found} of 100000 beside {members}");
        }
    }
}
