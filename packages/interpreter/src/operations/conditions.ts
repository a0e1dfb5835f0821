/** Condition suffixes by the low four bits of the opcode, as the table names them. */
export const conditionSuffixes = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'] as const;
