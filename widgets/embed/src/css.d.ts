/** The build inlines a minified style sheet as a string. */
declare module "*.css" {
  const text: string;
  export default text;
}
