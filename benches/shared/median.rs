//! What counts of several rounds on a shared machine.

/// The middle one.
pub(crate) fn median<T: PartialOrd>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|one, other| one.partial_cmp(other).expect("figures"));
    let middle = values.len() / 2;
    values.swap_remove(middle)
}
