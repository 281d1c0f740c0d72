/// A Bloom filter over the resources of a store: tells for sure that one is *not* there.
///
/// It saves a first load the look-up of every single resource.
/// Its size is bounded; the more resources, the more often it doesn't know.
pub(super) struct Filter {
    layers: Vec<Layer>,
    /// How many are in the last layer.
    inserted: usize,
}

/// Blocks that each fit a line of the cache, so that a member costs one access to memory (Putze, Sanders and Singler 2007).
struct Layer {
    /// Zeros that the system hands out page by page, as they are first written: of a small store most never are.
    words: Vec<u64>,
    /// Where the first line of the cache begins.
    start: usize,
}

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
        for layer in &self.layers {
            // Nothing hangs on what is read, so that the reads don't wait for each other.
            let read = hashes.clone();
            let read = read.fold(0, |read, hash| read ^ layer.words[layer.block(hash)]);
            std::hint::black_box(read);
        }
    }
}

impl Layer {
    fn new() -> Self {
        let words = vec![0; (BLOCKS + 1) * BLOCK];
        let to_line = words.as_ptr().align_offset(size_of::<u64>() * BLOCK);
        Self {
            words,
            // Where that can't be told, blocks lie across lines, and are only slower.
            start: to_line.min(BLOCK),
        }
    }

    /// Where a block begins. From the highest bits of the hash, of which [`bits`] takes none.
    fn block(&self, hash: u64) -> usize {
        self.start + (hash >> (64 - BLOCKS_LOG2)) as usize * BLOCK
    }

    fn insert(&mut self, hash: u64) {
        let start = self.block(hash);
        let block = &mut self.words[start..start + BLOCK];
        for (word, bit) in bits(hash) {
            block[word] |= bit;
        }
    }

    fn may_contain(&self, hash: u64) -> bool {
        let start = self.block(hash);
        let block = &self.words[start..start + BLOCK];
        bits(hash).all(|(word, bit)| block[word] & bit != 0)
    }
}

/// Words of a block and bits in them, nine bits of the hash for each.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..PROBES).map(move |probe| {
        let own = hash >> (9 * probe);
        ((own >> 6 & 7) as usize, 1 << (own & 63))
    })
}

/// Words of a block.
const BLOCK: usize = 8;
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
