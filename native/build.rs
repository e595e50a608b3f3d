//! Hands the order of functions to the linker: see benchmarks/link_order.py.

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link_order.ld");
    // lld and GNU ld read such scripts; those of whoever asks for another linker may not.
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_other = ["mold", "gold", "wild"]
        .iter()
        .any(|name| flags.contains(name));
    if var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") && !is_other {
        let folder = var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo:rustc-link-arg-cdylib=-Wl,-T,{folder}/link_order.ld");
    }
}
