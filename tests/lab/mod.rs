//! Sweeps of fleets in network namespaces made by the test. They need root and are skipped, loudly, without it.

mod ground;
