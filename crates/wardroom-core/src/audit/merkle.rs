//! Merkle trees as in RFC 9162 §2.1.

use crate::digest::sha256;
use std::ops::Range;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Leaves whose common ancestor is kept by the store: 2⁸.
pub const TILE_LEAVES: u64 = 256;
/// The level of that ancestor.
pub const TILE_LEVEL: u32 = 8;

/// The hash of a leaf: SHA-256(0x00 ‖ data).
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The right edge of a growing tree: the roots of its complete subtrees, largest first. All that
/// appending and the root need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One hash for each bit that is set in `size`, from the highest.
    peaks: Vec<Hash>,
}

/// Stored bytes that are not a frontier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored tree does not fit its size of {size} records")]
pub struct FrontierError {
    /// The size that was stored with it.
    pub size: u64,
}

impl Frontier {
    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash. Gives the root of the tile of [`TILE_LEAVES`] that it completed, if it did.
    pub fn append(&mut self, leaf: Hash) -> Option<Hash> {
        self.push(leaf, 0)
    }

    /// Appends a whole tile; the size must be a multiple of [`TILE_LEAVES`].
    pub fn append_tile(&mut self, tile: Hash) -> Result<(), FrontierError> {
        if !self.size.is_multiple_of(TILE_LEAVES) {
            return Err(FrontierError { size: self.size });
        }
        self.push(tile, TILE_LEVEL);
        Ok(())
    }

    /// Adds a complete subtree of 2^`level` leaves, merging it with equal ones before it.
    fn push(&mut self, hash: Hash, level: u32) -> Option<Hash> {
        let mut carry = hash;
        let mut at = level;
        let mut tile = None;
        while self.size >> at & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            carry = node_hash(&left, &carry);
            at += 1;
            if at == TILE_LEVEL {
                tile = Some(carry);
            }
        }
        self.peaks.push(carry);
        self.size += 1 << level;
        tile
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => empty_root(),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// The peaks one after another, as the store keeps them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Takes up a stored frontier.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        let error = FrontierError { size };
        let (peaks, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || peaks.len() != size.count_ones() as usize {
            return Err(error);
        }
        Ok(Self { size, peaks: peaks.to_vec() })
    }
}

/// The largest power of two below `size` (RFC 9162 §2.1.1's k); `size` is at least 2.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The leaf ranges whose roots make up the inclusion proof of leaf `index` in a tree of `size`,
/// lowest first (RFC 9162 §2.1.3.1). `None` when there is no such leaf.
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let (mut from, mut to) = (0, size);
    let mut ranges = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push(middle..to);
            to = middle;
        } else {
            ranges.push(from..middle);
            from = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// Whether `proof` shows that the leaf is at `index` in the tree of `size` with `root`
/// (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use sha2::Sha256;

    /// An independent implementation of the same RFC.
    fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
        let mut tree = MemoryBackedTree::new();
        for at in 0..size {
            tree.push(at.to_be_bytes().to_vec());
        }
        tree
    }

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|at| leaf_hash(&at.to_be_bytes())).collect()
    }

    fn frontier(leaves: &[Hash]) -> Frontier {
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.append(*leaf);
        }
        frontier
    }

    #[test]
    fn roots_agree_with_an_independent_implementation() {
        for size in (0..70).chain([255, 256, 257, 511, 512, 700]) {
            let ours = frontier(&leaves(size)).root();
            assert_eq!(ours[..], oracle(size).root().as_bytes()[..], "size {size}");
        }
    }

    #[test]
    fn tiles_stand_for_their_leaves() {
        let leaves = leaves(1000);
        let mut whole = Frontier::default();
        let mut tiles = Vec::new();
        for leaf in &leaves {
            tiles.extend(whole.append(*leaf));
        }
        assert_eq!(tiles.len(), 3);
        let mut quick = Frontier::default();
        for tile in tiles {
            quick.append_tile(tile).unwrap();
        }
        for leaf in &leaves[768..] {
            quick.append(*leaf);
        }
        assert_eq!(quick, whole);
        assert_eq!(Frontier::from_bytes(1000, &whole.to_bytes()).unwrap(), whole);
        assert!(
            Frontier::from_bytes(1001, &whole.to_bytes()).is_err() || 1001_u64.count_ones() == 6
        );
        assert!(Frontier::from_bytes(3, &whole.to_bytes()).is_err());
    }

    #[test]
    fn every_inclusion_proof_verifies_and_no_other_does() {
        for size in 1..40_u64 {
            let leaves = leaves(size);
            let root = frontier(&leaves).root();
            for index in 0..size {
                let proof: Vec<Hash> = inclusion_ranges(index, size)
                    .unwrap()
                    .into_iter()
                    .map(|range| frontier(&leaves[range.start as usize..range.end as usize]).root())
                    .collect();
                let leaf = leaves[index as usize];
                assert!(verify_inclusion(&leaf, index, size, &proof, &root));
                assert!(!verify_inclusion(&leaf_hash(b"x"), index, size, &proof, &root));
                assert!(!verify_inclusion(&leaf, index + 1, size, &proof, &root));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!verify_inclusion(&leaf, index, size, shorter, &root));
                }
            }
            assert_eq!(inclusion_ranges(size, size), None);
        }
    }
}
