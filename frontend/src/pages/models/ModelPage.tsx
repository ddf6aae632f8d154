export default function ModelPage() {
  return null
}
