//! Address permutation.
