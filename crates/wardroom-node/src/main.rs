fn main() {
    wardroom_node::sandbox::launcher::run_if_requested();
}
