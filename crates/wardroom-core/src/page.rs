//! Cursor paging: a list continues after a key, never at an offset.

use serde::{Deserialize, Serialize};

/// The most items that one page may have.
pub const PAGE_ITEMS_MAX: u32 = 200;

/// The items of a page when the caller does not say.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;

/// What part of a list is wanted. `K` is the key that the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest<K> {
    /// Continue behind this key; `None` starts at the first item.
    pub after: Option<K>,
    /// At most this many items, 1 to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl<K> PageRequest<K> {
    /// The first page with the default size.
    pub const fn first() -> Self {
        Self { after: None, limit: PAGE_ITEMS_DEFAULT }
    }

    /// A page of at most `limit` items behind `after`; the limit is brought within bounds.
    pub fn new(after: Option<K>, limit: u32) -> Self {
        Self { after, limit: limit.clamp(1, PAGE_ITEMS_MAX) }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The key to continue behind, when there is more.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Cuts `items`, of which one more than `limit` was read, to a page.
    pub fn cut(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}
