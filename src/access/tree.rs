//! The segment tree that indexes patterns.
