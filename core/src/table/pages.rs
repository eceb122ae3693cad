//! Numbered things that tables share: pages behind `Arc`.

use std::sync::Arc;

/// Things by number, two to the power of `BITS` a page. A copy shares all pages; a page is copied when something in it
/// becomes another.
#[derive(Clone, Debug)]
pub(super) struct Pages<T, const BITS: u32 = 7>(Vec<Arc<[T]>>);

impl<T, const BITS: u32> Default for Pages<T, BITS> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + Default, const BITS: u32> Pages<T, BITS> {
    const PAGE: usize = 1 << BITS;

    /// Things by their place.
    pub(super) fn of(all: impl IntoIterator<Item = T>) -> Self {
        let mut all = all.into_iter().peekable();
        let mut pages = Vec::new();
        while all.peek().is_some() {
            pages.push(all.by_ref().take(Self::PAGE).collect());
        }
        pages.shrink_to_fit();
        Self(pages)
    }

    /// The thing of a number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let page = self.0.get((number >> BITS) as usize)?;
        page.get(number as usize % Self::PAGE)
    }

    /// The thing of a number, to be changed; there is one from now on.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page_at, at) = ((number >> BITS) as usize, number as usize % Self::PAGE);
        if self.0.len() <= page_at {
            self.0.resize(page_at + 1, Arc::from([]));
        }
        let page = self.0.get_mut(page_at)?;
        if page.len() <= at {
            // Small tables have a small page.
            let length = if page_at == 0 {
                (at + 1).next_power_of_two()
            } else {
                Self::PAGE
            };
            let more = std::iter::repeat_with(T::default).take(length - page.len());
            *page = page.iter().cloned().chain(more).collect();
        }
        Arc::make_mut(page).get_mut(at)
    }

    /// The things in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|page| page.iter())
    }

    /// The numbers of the pages that are not the same in both, with the first number of each.
    pub(super) fn differing<'p>(
        &'p self,
        other: &'p Self,
    ) -> impl Iterator<Item = std::ops::Range<u32>> + 'p {
        let same = move |at: usize| {
            let (one, two) = (self.0.get(at), other.0.get(at));
            one.zip(two).is_some_and(|(one, two)| Arc::ptr_eq(one, two))
        };
        (0..self.0.len().max(other.0.len()))
            .filter(move |&at| !same(at))
            .filter_map(|at| {
                let first = u32::try_from(at).ok()? << BITS;
                Some(first..first + (1 << BITS))
            })
    }

    pub(super) fn memory(&self) -> usize {
        let page = |page: &Arc<[T]>| size_of_val(&**page) + 2 * size_of::<usize>();
        self.0.capacity() * size_of::<Arc<[T]>>() + self.0.iter().map(page).sum::<usize>()
    }
}

/// Gives numbers out. One that was given back is used again by the tables that follow, never by the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    next: u32,
    free: Vec<u32>,
    freed: Vec<u32>,
}

impl Numbers {
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    pub(super) fn give_back(&mut self, number: u32) {
        self.freed.push(number);
    }

    /// The table is finished.
    pub(super) fn settle(&mut self) {
        self.free.append(&mut self.freed);
        self.freed = Vec::new();
    }

    /// Above every number that was ever given out.
    pub(super) fn end(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_copied_when_they_change() {
        let mut before: Pages<u32> = Pages::default();
        for number in 0..1_000 {
            *before.get_mut(number).expect("it grows") = number;
        }
        let mut after = before.clone();
        *after.get_mut(500).expect("it is there") = 7;
        assert_eq!(before.get(500), Some(&500));
        assert_eq!(after.get(500), Some(&7));
        assert!(after.differing(&before).flatten().eq(384..512));
        assert!((0..1_000).all(|number| before.get(number) == Some(&number)));
        assert_eq!(before.iter().take(1_000).count(), 1_000);
    }

    #[test]
    fn numbers_are_used_again_later() {
        let mut numbers = Numbers::default();
        assert_eq!([numbers.take(), numbers.take()], [0, 1]);
        numbers.give_back(0);
        assert_eq!(numbers.take(), 2);
        numbers.settle();
        assert_eq!([numbers.take(), numbers.take()], [0, 3]);
        assert_eq!(numbers.end(), 4);
    }
}
