# The everyday commands; `just` alone lists them.

default:
    @just --list

# everything that CI checks, installing what is missing
test:
    scripts/test

# the same without packages, policy and documentation
quick:
    scripts/test quick

# an embedded fleet on loopback, swept by the real command
demo:
    cargo run --release -- demo

# CPU per complete probe beside its floor
bench:
    cargo bench --bench probe

# the laboratory alone (root)
lab:
    cargo nextest run --test integration lab

# one fuzz target on the stable toolchain, for a minute
fuzz target seconds="60":
    cargo fuzz run -s none {{target}} -- -max_total_time={{seconds}}

fmt:
    cargo fmt --all && cargo fmt --manifest-path fuzz/Cargo.toml
