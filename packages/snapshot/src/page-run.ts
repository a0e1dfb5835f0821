/** Adjacent pages of guest RAM, by number. */
export interface PageRun {
  firstPage: number;
  pages: number;
}
