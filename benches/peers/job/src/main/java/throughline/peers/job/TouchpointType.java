package throughline.peers.job;

/** Types that the generated calls become, with the valence of the bare fact. */
enum TouchpointType {
    PAGE_VIEWED("page.viewed", 0.0),
    LISTING_VIEWED("listing.viewed", 0.0),
    CHECKOUT_STARTED("checkout.started", 0.0),
    PAYMENT_COMPLETED("payment.completed", 0.0),
    SEARCH_FAILED("search.failed", -0.1),
    COUPON_DENIED("coupon.denied", -0.2),
    ORDER_CREATED("order.created", 0.3),
    REVIEW_SUBMITTED("review.submitted", 0.0);

    private static final TouchpointType[] ALL = values();

    private final String code;
    private final double fact;

    TouchpointType(String code, double fact) {
        this.code = code;
        this.fact = fact;
    }

    String code() {
        return code;
    }

    /** Valence of the fact, -1 to 1; 0 where the fact says nothing. */
    double fact() {
        return fact;
    }

    static TouchpointType of(int ordinal) {
        return ALL[ordinal];
    }
}
