/** Environment variable that tells Berth's part of a Pulumi preview that nothing may be written on hosts: `1`. */
export const lookOnlyVariable = "BERTH_LOOK_ONLY";
