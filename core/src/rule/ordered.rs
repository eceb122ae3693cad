//! A sorted list whose versions share what they have in common.
//!
//! Values lie in pages behind `Arc`. A version that differs in one value copies the page of that value and the list of
//! pages; all other pages are the same memory, and that is how two versions are told apart without walking both.

use std::cmp::Ordering;
use std::sync::Arc;

/// The most values of a page.
const PAGE: usize = 64;
/// So many values has a page at first: some more have room.
const FILLED: usize = PAGE * 3 / 4;

/// What a list is sorted by.
pub(crate) trait Place {
    /// The order; no two values of a list are equal by it.
    fn place(&self, other: &Self) -> Ordering;
}

type Page<T> = Arc<Vec<T>>;

/// A value as it is in an older version and in a newer one.
pub(crate) type Differing<'o, T> = (Option<&'o T>, Option<&'o T>);

/// The list. A clone costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<T> {
    /// INVARIANT: no page is empty, and values ascend over all pages.
    pages: Arc<Vec<Page<T>>>,
    len: usize,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self {
            pages: Arc::default(),
            len: 0,
        }
    }
}

impl<T: Place + Clone> Ordered<T> {
    /// Of values that are equal in order the last is kept.
    pub(crate) fn of(mut values: Vec<T>) -> Self {
        // Most lists come as they have to be.
        if !values.is_sorted_by(|one, two| one.place(two).is_lt()) {
            values.sort_by(T::place);
            values.reverse();
            values.dedup_by(|one, two| one.place(two).is_eq());
            values.reverse();
        }
        Self::ascending(values)
    }

    /// Of values that ascend, no two of them equal in order.
    pub(crate) fn ascending(values: Vec<T>) -> Self {
        debug_assert!(values.is_sorted_by(|one, two| one.place(two).is_lt()));
        let len = values.len();
        let mut values = values.into_iter();
        let mut pages = Vec::with_capacity(len.div_ceil(FILLED));
        while !values.as_slice().is_empty() {
            pages.push(Arc::new(values.by_ref().take(FILLED).collect()));
        }
        Self {
            pages: Arc::new(pages),
            len,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> Iter<'_, T> {
        Iter {
            pages: self.pages.iter(),
            page: [].iter(),
        }
    }

    /// The page that a value belongs to, and its place there.
    fn find(&self, place: impl Fn(&T) -> Ordering) -> (usize, Result<usize, usize>) {
        let before = |page: &Page<T>| page.last().is_some_and(|last| place(last).is_lt());
        let at = self.pages.partition_point(before);
        let at = at.min(self.pages.len().saturating_sub(1));
        let page = self.pages.get(at);
        (at, page.map_or(Err(0), |page| page.binary_search_by(place)))
    }

    /// The value for which `place` says that it is the one; it says of others on which side of it they lie.
    pub(crate) fn get(&self, place: impl Fn(&T) -> Ordering) -> Option<&T> {
        let (page, at) = self.find(place);
        self.pages.get(page)?.get(at.ok()?)
    }

    /// Puts a value in; says which it replaces.
    pub(crate) fn insert(&mut self, value: T) -> Option<T> {
        let (page_at, at) = self.find(|other| other.place(&value));
        let pages = Arc::make_mut(&mut self.pages);
        let Some(page) = pages.get_mut(page_at).map(Arc::make_mut) else {
            pages.push(Arc::new(vec![value]));
            self.len += 1;
            return None;
        };
        match at {
            Ok(at) => page.get_mut(at).map(|old| std::mem::replace(old, value)),
            Err(at) => {
                page.insert(at, value);
                if page.len() > PAGE {
                    let half = page.split_off(PAGE / 2);
                    pages.insert(page_at + 1, Arc::new(half));
                }
                self.len += 1;
                None
            }
        }
    }

    /// Puts a value behind all others, or gives it back if it does not belong there.
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        let last = self.pages.last().and_then(|page| page.last());
        if last.is_some_and(|last| !last.place(&value).is_lt()) {
            return Err(value);
        }
        let pages = Arc::make_mut(&mut self.pages);
        match pages.last_mut().filter(|page| page.len() < FILLED) {
            Some(page) => Arc::make_mut(page).push(value),
            None => {
                // Short lists have a short page.
                let mut page = Vec::with_capacity(if pages.is_empty() { 1 } else { FILLED });
                page.push(value);
                pages.push(Arc::new(page));
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the value out for which `place` says that it is the one.
    pub(crate) fn remove(&mut self, place: impl Fn(&T) -> Ordering) -> Option<T> {
        let (page_at, Ok(at)) = self.find(place) else {
            return None;
        };
        let pages = Arc::make_mut(&mut self.pages);
        let page = pages.get_mut(page_at).map(Arc::make_mut)?;
        let value = page.remove(at);
        self.len -= 1;
        let left = page.len();
        // Small neighbours become one page, so that pages do not crumble.
        if left == 0 {
            pages.remove(page_at);
        } else if pages
            .get(page_at + 1)
            .is_some_and(|next| left + next.len() <= PAGE / 2)
        {
            let next = pages.remove(page_at + 1);
            if let Some(page) = pages.get_mut(page_at).map(Arc::make_mut) {
                page.extend(next.iter().cloned());
            }
        }
        Some(value)
    }

    /// What a newer version has in place of what is here: values that only one of both has, and those that are equal in
    /// order without being the same. Pages that both have are skipped.
    pub(crate) fn difference<'o>(
        &'o self,
        newer: &'o Self,
        same: impl Fn(&T, &T) -> bool,
    ) -> Vec<Differing<'o, T>> {
        let mut all = Vec::new();
        if Arc::ptr_eq(&self.pages, &newer.pages) {
            return all;
        }
        let (mut old, mut new) = (self.iter(), newer.iter());
        loop {
            if old.skip_shared(&mut new) {
                continue;
            }
            match (old.peek(), new.peek()) {
                (None, None) => return all,
                (Some(one), Some(two)) => match one.place(two) {
                    Ordering::Less => all.push((old.next(), None)),
                    Ordering::Greater => all.push((None, new.next())),
                    Ordering::Equal => {
                        let (one, two) = (old.next(), new.next());
                        if !one.zip(two).is_some_and(|(one, two)| same(one, two)) {
                            all.push((one, two));
                        }
                    }
                },
                (Some(_), None) => all.push((old.next(), None)),
                (None, Some(_)) => all.push((None, new.next())),
            }
        }
    }
}

/// The values in order.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'o, T> {
    pages: std::slice::Iter<'o, Page<T>>,
    page: std::slice::Iter<'o, T>,
}

impl<'o, T> Iter<'o, T> {
    fn peek(&self) -> Option<&'o T> {
        match self.page.as_slice().first() {
            None => self.pages.as_slice().first().and_then(|page| page.first()),
            first => first,
        }
    }

    /// Steps over the next page where it is the same for both.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        if !self.page.as_slice().is_empty() || !other.page.as_slice().is_empty() {
            return false;
        }
        let pages = (
            self.pages.as_slice().first(),
            other.pages.as_slice().first(),
        );
        let (Some(one), Some(two)) = pages else {
            return false;
        };
        let shared = Arc::ptr_eq(one, two);
        if shared {
            self.pages.next();
            other.pages.next();
        }
        shared
    }
}

impl<'o, T> Iterator for Iter<'o, T> {
    type Item = &'o T;

    fn next(&mut self) -> Option<&'o T> {
        loop {
            if let Some(value) = self.page.next() {
                return Some(value);
            }
            self.page = self.pages.next()?.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Place for (u16, u8) {
        fn place(&self, other: &Self) -> Ordering {
            self.0.cmp(&other.0)
        }
    }

    proptest! {
        #[test]
        fn versions_hold_what_a_map_holds(
            first: Vec<(u16, u8)>,
            changes in prop::collection::vec((0_u16..400, any::<Option<u8>>()), 0..600),
        ) {
            let before = Ordered::of(first.clone());
            let mut known: BTreeMap<u16, u8> = first.into_iter().collect();
            let old = known.clone();
            let mut list = before.clone();
            for (key, value) in changes {
                let (was, expected) = match value {
                    Some(value) => (list.insert((key, value)), known.insert(key, value)),
                    None => (list.remove(|one| one.0.cmp(&key)), known.remove(&key)),
                };
                prop_assert_eq!(was, expected.map(|value| (key, value)));
            }
            let all = |map: &BTreeMap<u16, u8>| map.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>();
            prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), all(&known));
            prop_assert_eq!(before.iter().copied().collect::<Vec<_>>(), all(&old));
            prop_assert_eq!(list.len(), known.len());
            for key in 0..400 {
                prop_assert_eq!(list.get(|one| one.0.cmp(&key)).map(|one| one.1), known.get(&key).copied());
            }
            let mut told = old;
            for (one, two) in before.difference(&list, |one, two| one == two) {
                prop_assert_ne!(one, two);
                match (one, two) {
                    (_, Some(two)) => { told.insert(two.0, two.1); }
                    (Some(one), None) => { told.remove(&one.0); }
                    (None, None) => {}
                }
            }
            prop_assert_eq!(told, known);
        }
    }

    #[test]
    fn a_version_shares_all_pages_but_one() {
        let before = Ordered::of((0..10_000).map(|number| (number, 0)).collect());
        let mut after = before.clone();
        after.insert((5_000, 1));
        let pages = before.pages.iter().zip(after.pages.iter());
        let differ = pages.filter(|(one, two)| !Arc::ptr_eq(one, two)).count();
        assert_eq!(differ, 1);
        let difference = before.difference(&after, |one, two| one == two);
        assert_eq!(difference, [(Some(&(5_000, 0)), Some(&(5_000, 1)))]);
    }
}
