package throughline.peers.job;

/** Types of identifiers that the generated calls carry; the one with the smallest rank routes a touchpoint. */
enum IdentifierType {
    LOGIN("login", 1),
    COOKIE("cookie", 7),
    VISIT("visit", 8);

    private final String code;
    private final byte rank;

    IdentifierType(String code, int rank) {
        this.code = code;
        this.rank = (byte) rank;
    }

    String code() {
        return code;
    }

    byte rank() {
        return rank;
    }
}
